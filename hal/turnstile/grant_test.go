package turnstile

import (
	"testing"

	"bordergate/hal"
)

func TestMemoryForgetsTheOldestGrantOnly(t *testing.T) {
	var m memory
	id := func(n int) hal.GrantID { return hal.GrantID{byte(n), byte(n >> 8), 1} }
	for n := range memorySize + 1 {
		m.put(id(n), hal.ErrUnconfirmed)
		m.put(id(n), nil)
	}
	if _, known := m.answer(id(0)); known || len(m.answers) != memorySize {
		t.Errorf("the oldest is known, or there are %d", len(m.answers))
	}
	if err, known := m.answer(id(memorySize)); !known || err != nil {
		t.Errorf("the newest: %v, %v", err, known)
	}
	m.drop(id(memorySize))
	if _, known := m.answer(id(memorySize)); known {
		t.Error("a grant that never left is remembered")
	}
}
