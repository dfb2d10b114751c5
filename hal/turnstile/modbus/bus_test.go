package modbus

import (
	"errors"
	"testing"
	"time"

	"bordergate/hal/haltest"
	"bordergate/hal/port"
	"bordergate/hal/turnstile"
)

// The bus's own behaviour, byte for byte.
func TestBusOnARecordedWire(t *testing.T) {
	poll := request(1, 2, 0, 8)
	answer := seal([]byte{1, 2, 1, 0xEC})
	play := haltest.Play(t, []haltest.Exchange{
		{Sent: poll, Received: answer},
		{Sent: poll, Received: nil}, // lost: a reading is tried once more
		{Sent: poll, Received: answer},
		{Sent: poll, Received: append(append([]byte{}, poll...), answer...)}, // the adapter's echo
		{Sent: request(1, 5, 0x201, 3), Received: request(1, 5, 0x201, 3)},   // nothing but an echo
	})
	rec := haltest.Record(play)
	b := Bus{Line: turnstile.NewLine(rec, 115200, time.Millisecond), Unit: 1}
	for i := range 3 {
		mask, _, err := b.Bits(t.Context(), ReadInputs, 0, 8, 0)
		if err != nil || mask != 0xEC {
			t.Fatalf("reading %d: %#x, %v", i, mask, err)
		}
	}
	if sent, err := b.Write(t.Context(), WriteCoil, 0x201, 3); !sent || !errors.Is(err, turnstile.ErrNoReply) {
		t.Errorf("an echo is an answer: %v, %v", sent, err)
	}
	if n := len(rec.Exchanges()); n != 5 {
		t.Errorf("%d exchanges", n)
	}
}

var _ port.Port = (*haltest.Playback)(nil)
