package wire

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func goodOrganisation() Change {
	c := goodStatus()
	c.Op, c.Account, c.Organisation = OpOrganisation, "", "ORG1"
	return c
}

func TestOrganisationNeedsALawfulDecision(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Change)
		err    error
	}{
		"good": {func(*Change) {}, nil},
		"restore": {func(c *Change) {
			c.Status, c.Decision.Action, c.Decision.Ground = StatusActive, ActionRestore, GroundCleared
		}, nil},
		"cancel":          {func(c *Change) { c.Status, c.Decision.Action = StatusCancelled, ActionCancel }, nil},
		"no organisation": {func(c *Change) { c.Organisation = "" }, ErrChange},
		"version 0":       {func(c *Change) { c.Ver = 0 }, ErrChange},
		"an account too":  {func(c *Change) { c.Account = "a-1" }, ErrChange},
		"a level too":     {func(c *Change) { c.Level = 2 }, ErrChange},
		"a mark too":      {func(c *Change) { c.Mark = make([]byte, MarkSize) }, ErrChange},
		"no decision":     {func(c *Change) { c.Decision = nil }, ErrDecision},
		"deputy without":  {func(c *Change) { c.Decision.Role = DeciderDeputy }, ErrDecision},
		"owner without":   {func(c *Change) { c.Decision.Ground = GroundOwner }, ErrDecision},
		"another status":  {func(c *Change) { c.Status = StatusActive }, ErrDecision},
		"unknown status":  {func(c *Change) { c.Status = "paused" }, ErrDecision},
	} {
		c := goodOrganisation()
		tc.change(&c)
		if err := c.Check(); !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, want %v", name, err, tc.err)
		}
	}
	if !goodOrganisation().Restricts() {
		t.Error("the suspension of an organisation does not bite at once")
	}
}

func TestWatchListNamesNobody(t *testing.T) {
	mark := Change{Op: OpWatch, Ver: 1, Mark: make([]byte, MarkSize), On: true}
	key := Change{Op: OpWatchKey, Ver: 1, Key: make([]byte, WatchKeySize)}
	for name, tc := range map[string]struct {
		change Change
		edit   func(*Change)
		ok     bool
	}{
		"on":             {mark, func(*Change) {}, true},
		"off":            {mark, func(c *Change) { c.On = false }, true},
		"key":            {key, func(*Change) {}, true},
		"short mark":     {mark, func(c *Change) { c.Mark = c.Mark[1:] }, false},
		"no mark":        {mark, func(c *Change) { c.Mark = nil }, false},
		"version 0":      {mark, func(c *Change) { c.Ver = 0 }, false},
		"account":        {mark, func(c *Change) { c.Account = "a-1" }, false},
		"pass":           {mark, func(c *Change) { c.Pass = "P1" }, false},
		"decision":       {mark, func(c *Change) { c.Decision = goodStatus().Decision }, false},
		"mark and key":   {mark, func(c *Change) { c.Key = make([]byte, WatchKeySize) }, false},
		"short key":      {key, func(c *Change) { c.Key = c.Key[1:] }, false},
		"key and mark":   {key, func(c *Change) { c.Mark = make([]byte, MarkSize) }, false},
		"key that is on": {key, func(c *Change) { c.On = true }, false},
		"key on account": {goodPut(), func(c *Change) { c.Key = make([]byte, WatchKeySize) }, false},
		"on in a status": {goodStatus(), func(c *Change) { c.On = true }, false},
	} {
		c := tc.change
		tc.edit(&c)
		if err := c.Check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrChange) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	off := mark
	off.On = false
	if !mark.Restricts() || !key.Restricts() || off.Restricts() {
		t.Error("what is put on the list, and its key, bite at once; what is taken off does not")
	}
}

func TestMarksTellEntriesAndKeysApart(t *testing.T) {
	k1, k2 := bytes.Repeat([]byte{1}, WatchKeySize), bytes.Repeat([]byte{2}, WatchKeySize)
	birth := time.Date(1980, 2, 1, 0, 0, 0, 0, time.UTC)
	seen := map[string]Watched{}
	for _, w := range []Watched{
		WatchAccount("A1"), WatchPass("A1"), WatchPerson("A1", birth), WatchPerson("A1", birth.AddDate(0, 0, 1)), WatchPerson("A<1", birth), WatchAccount("A2"),
	} {
		for _, k := range [][]byte{k1, k2} {
			m := string(w.Mark(k))
			if len(m) != MarkSize || seen[m] != "" {
				t.Errorf("mark of %q is as that of %q", w, seen[m])
			}
			seen[m] = w
		}
	}
	if !bytes.Equal(WatchAccount("A1").Mark(k1), WatchAccount("A1").Mark(k1)) || WatchPerson("A<<", birth) != WatchPerson("A", birth) {
		t.Error("one entry has two marks")
	}
}
