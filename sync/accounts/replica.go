package accounts

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// Errors of Open.
var (
	// ErrKey says that the file was made with another key; it is left alone.
	ErrKey = errors.New("accounts file was made with another key")
	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("accounts file is in use by another process")
	// ErrDamaged says that the file cannot be relied on. Open repairs that
	// itself, unless it is for reading only.
	ErrDamaged = errors.New("accounts file is damaged")
)

// Errors of use.
var (
	// ErrResync says that the replica does not know the accounts yet, or no
	// longer: nobody may be admitted on it.
	ErrResync = errors.New("accounts are not synchronised")
	// ErrGap says that changes before these are missing.
	ErrGap = errors.New("changes are missing before these")
	// ErrEpoch says that a change or head is of another log than the replica.
	ErrEpoch = errors.New("another epoch of the accounts log")
	// ErrChain says that headquarters' log and the replica disagree on the past.
	// The replica will not be used until Reset, or a snapshot, and a new
	// synchronisation.
	ErrChain = errors.New("accounts log does not follow from the replica")
	// ErrHead says that a newer head is at an older place than one before it.
	ErrHead = errors.New("head of the accounts log went back")
	// ErrClosed says that the replica was closed.
	ErrClosed = errors.New("accounts are closed")
	// ErrReadOnly says that the replica was opened for reading only.
	ErrReadOnly = errors.New("accounts are open for reading only")
)

// Options are the settings of a Replica.
type Options struct {
	Path string
	Key  [32]byte // vault.Key("accounts")
	// ReadOnly opens for looking only; a damaged file is ErrDamaged then.
	ReadOnly bool
	// MaxOverlay bounds the changes held in memory; 0: 100,000. Beyond it the
	// replica answers ErrResync until it has reached the head.
	MaxOverlay  int
	LockTimeout time.Duration // for another process to let go; 0: 1 s

	step func(name string)               // tests look at the files after each step of a switch
	free func(dir string) (int64, error) // room on the disk; nil: as it is
}

// Replica is an open replica.
type Replica struct {
	opts  Options
	crypt *crypt

	// change is held by whatever changes the file or the state.
	change sync.Mutex
	// life is held for writing only while the file is opened, replaced, closed.
	life   sync.RWMutex
	db     *bbolt.DB
	closed bool

	overlay overlay
	moves   moves

	trustRefused atomic.Uint64
	watch        atomic.Pointer[watchKey] // nil: there is no watch-list

	// incoming is the snapshot that is being received; only BeginSnapshot,
	// AddPiece and InstallSnapshot touch it, which their caller runs one at a time.
	incoming *incoming

	mu          sync.RWMutex
	at          place
	counts      Counts
	head        wire.Head // newest known
	saved       int64     // at.Fresh as last stored
	damaged     bool      // a value or page was bad: replaced at the next chance
	diverged    bool      // headquarters' log and the replica disagree on the past
	quarantined string
}

// place is where the replica stands; it is stored with the data.
type place struct {
	Epoch  uint64    `json:"epoch"`
	Cursor uint64    `json:"cursor"`
	Hash   wire.Hash `json:"hash"`
	Fresh  int64     `json:"fresh"`  // Issued of the newest head reached, Unix ns
	Synced bool      `json:"synced"` // a head was reached since the file was made
}

// Open opens the replica, making an empty one where there is none, or where a
// damaged one has to be moved aside.
func Open(o Options) (*Replica, error) {
	if o.MaxOverlay <= 0 {
		o.MaxOverlay = 100_000
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = time.Second
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	if o.free == nil {
		o.free = freeSpace
	}
	c, err := newCrypt(o.Key)
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	r := &Replica{opts: o, crypt: c, overlay: newOverlay(o.MaxOverlay), moves: moves{m: map[accountKey]*Movement{}}}
	r.life.Lock()
	defer r.life.Unlock()
	if !o.ReadOnly {
		_ = os.Remove(o.Path + nextExt) // of a switch that was not reached
	}
	err = r.openFile()
	if errors.Is(err, ErrDamaged) && !o.ReadOnly {
		if err = r.quarantine(); err == nil {
			err = r.openFile()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	return r, nil
}

// Close stores how fresh the replica is and closes the file. Everything
// afterwards fails with ErrClosed. It may be called more than once.
func (r *Replica) Close() error {
	r.change.Lock()
	defer r.change.Unlock()
	var err error
	if !r.opts.ReadOnly && !r.isClosed() {
		err = r.saveFresh(0)
	}
	r.life.Lock()
	defer r.life.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.incoming != nil {
		err = errors.Join(err, r.incoming.close())
	}
	if err := errors.Join(err, r.db.Close()); err != nil {
		return fmt.Errorf("close accounts: %w", err)
	}
	return nil
}

func (r *Replica) isClosed() bool {
	r.life.RLock()
	defer r.life.RUnlock()
	return r.closed
}

// Lookup gives the account with that id; false where there is none. Any error
// means that nobody may be admitted: ErrResync, ErrDamaged or ErrClosed.
func (r *Replica) Lookup(id string) (Account, bool, error) {
	if err := r.usable(); err != nil {
		return Account{}, false, fmt.Errorf("look up account: %w", err)
	}
	return r.Show(id)
}

func (r *Replica) usable() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case r.damaged:
		return fmt.Errorf("%w: %w", ErrResync, ErrDamaged)
	case !r.at.Synced:
		return ErrResync
	case r.overlay.overflowed():
		return fmt.Errorf("%w: too many changes wait to be committed", ErrResync)
	}
	return nil
}

// Show is Lookup that answers even while the replica is not synchronised: for
// technicians, never for a decision.
func (r *Replica) Show(id string) (Account, bool, error) {
	if id == "" || len(id) > wire.MaxAccountID {
		return Account{}, false, nil
	}
	key := r.crypt.id(id)
	// The overlay is asked first: an entry leaves it only after its change is
	// committed, so a change cannot be missed in both.
	over, isOver := r.overlay.get(key)
	a, found, err := r.committed(key)
	if err != nil {
		return Account{}, false, fmt.Errorf("look up account: %w", err)
	}
	if isOver && (!found || over.ver > a.Ver) {
		if a.Status != wire.StatusCancelled {
			a.Status = over.status
		}
		a.Ver, a.Overlaid, found = over.ver, true, true
	}
	if found {
		if err := r.inherit(id, &a); err != nil {
			return Account{}, false, fmt.Errorf("look up account: %w", err)
		}
	}
	return a, found, nil
}

// Committed is an account's status without the overlay.
func (r *Replica) Committed(id string) (wire.Status, bool) {
	a, found, err := r.committed(r.crypt.id(id))
	return a.Status, found && err == nil
}

// committed reads an account from the file.
func (r *Replica) committed(key accountKey) (a Account, found bool, err error) {
	err = r.look(func(tx *bbolt.Tx) error {
		a, found, err = r.get(tx, key)
		return err
	})
	if err != nil {
		return Account{}, false, err
	}
	return a, found, nil
}

// look runs one read transaction; what it cannot read is damage.
func (r *Replica) look(fn func(*bbolt.Tx) error) error {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.closed {
		return ErrClosed
	}
	if err := guard(func() error { return r.db.View(fn) }); err != nil {
		r.markDamaged()
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

func (r *Replica) get(tx *bbolt.Tx, key accountKey) (Account, bool, error) {
	v := tx.Bucket(bucketAccounts).Get(key[:])
	if v == nil {
		return Account{}, false, nil
	}
	a, err := r.crypt.open(key, v)
	return a, err == nil, err
}

func (r *Replica) markDamaged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damaged = true
}

// Cursor is up to which change of which log everything is committed; 0, 0 for
// a new replica.
func (r *Replica) Cursor() (epoch, seq uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.at.Epoch, r.at.Cursor
}

// Fresh is when the newest head that the replica has reached was issued. It is
// false while the replica is not synchronised.
func (r *Replica) Fresh() (headIssued time.Time, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.at.Synced || r.damaged || r.at.Fresh == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, r.at.Fresh), true
}

// Behind is how many changes the newest known head is ahead of the replica.
func (r *Replica) Behind() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.head.Epoch != r.at.Epoch || r.head.Seq <= r.at.Cursor {
		return 0
	}
	return r.head.Seq - r.at.Cursor
}

// Quarantined is where a damaged file was moved since Open, or empty.
func (r *Replica) Quarantined() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.quarantined
}

// Stats describes the replica without naming anybody.
type Stats struct {
	Counts
	Epoch       uint64    `json:"epoch"`
	Cursor      uint64    `json:"cursor"`
	Hash        wire.Hash `json:"hash"`
	HeadSeq     uint64    `json:"head_seq"`    // newest known, 0: none
	HeadIssued  time.Time `json:"head_issued"` // newest reached; zero: none
	Synced      bool      `json:"synced"`
	Overlay     int       `json:"overlay"` // changes in memory only
	Bytes       int64     `json:"bytes"`
	Quarantined string    `json:"quarantined,omitempty"`
}

// Stats describes the replica as it is now.
func (r *Replica) Stats() Stats {
	r.life.RLock()
	defer r.life.RUnlock()
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := Stats{
		Counts: r.counts, Epoch: r.at.Epoch, Cursor: r.at.Cursor, Hash: r.at.Hash, HeadSeq: r.head.Seq,
		Synced: r.at.Synced && !r.damaged, Overlay: r.overlay.len(), Quarantined: r.quarantined,
	}
	if r.at.Fresh != 0 {
		s.HeadIssued = time.Unix(0, r.at.Fresh).UTC()
	}
	if st, err := os.Stat(r.opts.Path); err == nil {
		s.Bytes = st.Size()
	}
	return s
}
