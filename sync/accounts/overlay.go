package accounts

import (
	"maps"
	"slices"
	"sync"

	"bordergate/sync/wire"
)

// overlay holds restrictions that bite before they are committed.
type overlay struct {
	max int

	mu   sync.RWMutex
	m    map[accountKey]overlaid
	over bool // an entry found no room
}

type overlaid struct {
	status wire.Status
	ver    uint64
}

func newOverlay(n int) overlay { return overlay{max: n, m: map[accountKey]overlaid{}} }

func (o *overlay) get(k accountKey) (overlaid, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	e, ok := o.m[k]
	return e, ok
}

// put enters a restriction unless a newer one is there. A cancellation is never
// softened.
func (o *overlay) put(k accountKey, e overlaid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, ok := o.m[k]
	switch {
	case ok && old.ver >= e.ver:
		return
	case ok && old.status == wire.StatusCancelled:
		e.status = wire.StatusCancelled
	case !ok && len(o.m) >= o.max:
		o.over = true // nobody is admitted until the head is reached
		return
	}
	o.m[k] = e
}

// drop removes a restriction that the committed version ver covers.
func (o *overlay) drop(k accountKey, ver uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.m[k]; ok && e.ver <= ver {
		delete(o.m, k)
	}
}

// settle forgets an overflow: everything up to the head is committed.
func (o *overlay) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = false
}

func (o *overlay) overflowed() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.over
}

// clear forgets everything.
func (o *overlay) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.m)
	o.over = false
}

func (o *overlay) keys() []accountKey {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.Collect(maps.Keys(o.m))
}

func (o *overlay) len() int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(o.m)
}

// Overlay makes a suspension, a cancellation, the revocation of a pass or an
// entry of the watch-list bite at once, before it is committed. It does nothing for any other change, nor
// for a version that is not newer than the known one. It is lost at a restart;
// the log brings the change again.
func (r *Replica) Overlay(c wire.Change) {
	switch {
	case !c.Restricts() || c.Ver == 0:
	case c.OfOrganisation(), c.OfWatch():
		r.overlayStanding(&c)
	case c.OfPass():
		r.overlayPass(c)
	case c.Account != "" && len(c.Account) <= wire.MaxAccountID:
		key := r.crypt.id(c.Account)
		r.overlay.put(key, overlaid{c.Status, c.Ver})
		// Entered first and compared after: in between it can only refuse.
		if a, found, err := r.committed(key); err == nil && found {
			r.overlay.drop(key, a.Ver)
		}
	}
}

// overlayPass enters a revocation; a revoked pass is as final as a cancelled
// account.
func (r *Replica) overlayPass(c wire.Change) {
	if c.Pass == "" || len(c.Pass) > wire.MaxPass {
		return
	}
	key := r.crypt.passKey(c.Pass)
	r.overlay.put(key, overlaid{wire.StatusCancelled, c.Ver})
	if p, found, err := r.committedPass(key); err == nil && found {
		r.overlay.drop(key, p.Ver)
	}
}
