package bare

import (
	"errors"
	"fmt"
	"maps"

	"bordergate/sync/accounts"
	"bordergate/sync/wire"
)

// ErrOrder says that a change of an account does not follow the one before it.
var ErrOrder = errors.New("change of an account out of its order")

// inOrder is the replica, refusing what is not the very next change of its
// account. The replica itself takes any that is newer. Headquarters numbers an
// account's changes without a hole, so a change that was lost or came twice
// shows here and stops the gate from following.
type inOrder struct {
	*accounts.Replica
	known []string
	tell  func(error)

	// Only the link's goroutine touches these.
	cursor   uint64
	versions map[string]uint64
}

func newInOrder(r *accounts.Replica, known []string, tell func(error)) *inOrder {
	if tell == nil {
		tell = func(error) {}
	}
	o := &inOrder{Replica: r, known: known, tell: tell}
	o.seed()
	return o
}

// seed reads the versions as committed. An account that the overlay is ahead of
// is left out until its next change.
func (o *inOrder) seed() {
	_, o.cursor = o.Cursor()
	o.versions = make(map[string]uint64, len(o.known))
	for _, id := range o.known {
		if a, _, err := o.Show(id); err == nil && !a.Overlaid {
			o.versions[id] = a.Ver
		}
	}
}

// Apply checks and commits. What is committed already is left to the replica.
func (o *inOrder) Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error {
	_, cursor := o.Cursor()
	if cursor != o.cursor {
		o.seed() // a snapshot came in between
	}
	next := make(map[string]uint64)
	for i, c := range changes {
		if first != cursor+1 || c.Op != wire.OpPut && c.Op != wire.OpStatus {
			continue
		}
		before, known := o.versions[c.Account]
		if v, again := next[c.Account]; again {
			before, known = v, true
		}
		if known && c.Ver != before+1 {
			err := fmt.Errorf("%w: version %d after %d, at %d", ErrOrder, c.Ver, before, first+uint64(i))
			o.tell(err)
			return err
		}
		next[c.Account] = c.Ver
	}
	if err := o.Replica.Apply(epoch, first, prev, hash, changes); err != nil {
		return err
	}
	_, o.cursor = o.Cursor()
	maps.Copy(o.versions, next)
	return nil
}
