package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Ops of what stands beside the accounts and reaches several of them.
const (
	// OpOrganisation is a decision on an organisation: it takes the right of
	// every account that the organisation answers for, those enrolled later
	// too, and gives back only what it took.
	OpOrganisation = "organisation"
	// OpWatch puts a keyed hash on the watch-list, or takes it off.
	OpWatch = "watch"
	// OpWatchKey brings the key of those hashes.
	OpWatchKey = "watch_key"
)

// Sizes of the watch-list, bytes.
const (
	MarkSize     = 16
	WatchKeySize = 32
)

// OfOrganisation reports whether the change is a decision on an organisation.
func (c Change) OfOrganisation() bool { return c.Op == OpOrganisation }

// OfWatch reports whether the change is of the watch-list.
func (c Change) OfWatch() bool { return c.Op == OpWatch || c.Op == OpWatchKey }

// only reports whether nothing is set in the change but its op, its version and
// what clear sets to nothing.
func (c Change) only(clear func(*Change)) bool {
	c.Op, c.Ver = "", 0
	clear(&c)
	return reflect.DeepEqual(c, Change{})
}

// checkOrganisation holds a decision on an organisation to domain rule 3.
func (c Change) checkOrganisation() error {
	switch {
	case c.Organisation == "" || len(c.Organisation) > MaxAccountID:
		return fmt.Errorf("%w: organisation id of %d bytes", ErrChange, len(c.Organisation))
	case c.Ver == 0:
		return fmt.Errorf("%w: version 0", ErrChange)
	case !c.only(func(r *Change) { r.Organisation, r.Status, r.Decision = "", "", nil }):
		return fmt.Errorf("%w: something else in a decision on an organisation", ErrChange)
	case c.Decision == nil:
		return fmt.Errorf("%w: a status without a decision", ErrDecision)
	}
	return c.Decision.checkStatus(c.Status)
}

// checkWatch holds a change of the watch-list to its form: it names nobody.
func (c Change) checkWatch() error {
	switch {
	case c.Ver == 0:
		return fmt.Errorf("%w: version 0", ErrChange)
	case !c.only(func(r *Change) { r.Mark, r.On, r.Key = nil, false, nil }):
		return fmt.Errorf("%w: something else in a change of the watch-list", ErrChange)
	case c.Op == OpWatch && (len(c.Mark) != MarkSize || len(c.Key) != 0):
		return fmt.Errorf("%w: mark of %d bytes, want %d", ErrChange, len(c.Mark), MarkSize)
	case c.Op == OpWatchKey && (len(c.Key) != WatchKeySize || len(c.Mark) != 0 || c.On):
		return fmt.Errorf("%w: key of %d bytes, want %d", ErrChange, len(c.Key), WatchKeySize)
	}
	return nil
}

// Watched is what can be on the watch-list, in the one form that headquarters
// and gates hash. It is personal data.
type Watched string

// ErrWatched means that something cannot be on the watch-list as written.
var ErrWatched = errors.New("not an entry of the watch-list")

// WatchAccount is an account, a person's or an organisation's.
func WatchAccount(id string) Watched { return Watched("account\x00" + id) }

// WatchPass is a pass by its signed number.
func WatchPass(number string) Watched { return Watched("pass\x00" + number) }

// WatchPerson is a person by the name as a pass transliterates it and the date
// of birth, whatever his account and pass.
func WatchPerson(nameMRZ string, birth time.Time) Watched {
	return Watched("person\x00" + strings.Trim(nameMRZ, "<") + "\x00" + birth.Format(time.DateOnly))
}

// Mark is the keyed hash that stands for w on the watch-list. Whoever has the
// key can try names; whoever has not learns nothing from it.
func (w Watched) Mark(key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("bordergate watch-list 1\x00" + string(w)))
	return slices.Clip(h.Sum(nil)[:MarkSize])
}
