package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"bordergate/sync/wire"
)

// Errors of Open.
var (
	// ErrDamaged says that the file is there and cannot be relied on. It must be
	// moved away by a person; what it holds may be all that is left of it.
	ErrDamaged = errors.New("journal file is damaged")
	// ErrMissing says that there is no file though there must be one.
	ErrMissing = errors.New("journal file is missing")
	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("journal is in use by another process")
	// ErrGate says that the file is another gate's.
	ErrGate = errors.New("journal belongs to another gate")
)

// Errors of writing.
var (
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrFault says that a write failed and nothing will be written until the
	// journal is opened anew: the gate must not admit anybody.
	ErrFault = errors.New("journal fault: it does not write any more")
	// ErrFull says that the budget or the disk is full. What was there before is
	// intact; writing works again when there is room.
	ErrFull = errors.New("journal is full")
	// ErrBusy says that the queue of AppendAsync is full.
	ErrBusy = errors.New("journal queue is full")
	// ErrDraft says that a draft is out of bounds; nothing was written.
	ErrDraft = errors.New("journal draft is out of bounds")
)

// Sealer seals personal data under the key of a class and day; *vault.Vault
// does.
type Sealer interface {
	Seal(class uint8, day uint32, aad, plain []byte) ([]byte, error)
}

// Options are the settings of a journal.
type Options struct {
	Path string // of the file; its folder must exist
	Gate string // the gate's id; a file of another gate is refused
	// Vault seals personal parts. Nil refuses drafts that have one.
	Vault Sealer
	// Signer is the gate's key, which signs the mark and the checkpoints. Zero
	// makes a file without them, and refuses one that has them.
	Signer    wire.Signer
	Boot      [16]byte // the machine's boot id
	Simulated bool     // marks every record
	MustExist bool     // a missing file is ErrMissing instead of a new journal

	// MaxBytes is the budget of the data; 0: 4 GiB less 32 MiB. The file is up
	// to 16 MiB longer, without occupying that.
	MaxBytes int64
	// Budgets are the streams' own, bytes; 0: a share of MaxBytes.
	Budgets     map[wire.Stream]int64
	Queue       int           // appends that may wait; 0: 1024
	LockTimeout time.Duration // for another process to let go; 0: 1 s
}

const (
	defaultMaxBytes = 4<<30 - growStep - 16<<20
	growStep        = 16 << 20 // bbolt grows the file by this much beyond its data
	defaultQueue    = 1024
	defaultLock     = time.Second
)

func (o *Options) fill() {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLock
	}
}

// Journal is an open journal. All methods are safe for concurrent use.
type Journal struct {
	*Reader
	opts Options

	queue   chan *request
	sending sync.RWMutex // held for reading while something is put into queue
	closed  bool         // guarded by sending
	done    chan struct{}
	cause   error // why Close failed; set before done is closed

	update  func(func(*bbolt.Tx) error) error // db.Update; a test's fault point
	fault   error                             // of the writing goroutine alone
	lastDay uint32                            // of the writing goroutine: newest day sealed under
	sum     wire.Hash                         // of the writing goroutine: digest of what is no record
	disk    func() (int64, error)             // left on the disk; a test's fault point

	thinning thinning // of the writing goroutine

	mu      sync.Mutex
	changed chan struct{}
	facts   map[string]uint64
	down    error // the fault, for Err
}

// Open opens the journal at o.Path, or makes a new one with a new epoch where
// there is no file. It walks the whole file and checks the last records of
// every stream before it lets anybody write, and holds the whole to the mark.
func Open(o Options) (*Journal, error) {
	o.fill()
	if !wire.ValidGateID(o.Gate) {
		return nil, fmt.Errorf("open journal: gate id %.60q is not one", o.Gate)
	}
	err := preflight(o.Path, o.LockTimeout)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.MustExist:
		return nil, fmt.Errorf("open journal: %w: %s", ErrMissing, o.Path)
	case errors.Is(err, fs.ErrNotExist):
		if err := o.create(); err != nil {
			return nil, fmt.Errorf("create journal: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db, err := openFile(o.Path, &bbolt.Options{
		Timeout: o.LockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		// The map is never smaller than the file may become, so that no commit
		// has to wait for a reader to let it grow.
		InitialMmapSize: int(o.MaxBytes + 2*growStep), MaxSize: int(o.MaxBytes + growStep),
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j, err := start(db, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), db.Close())
	}
	return j, nil
}

// start reads what the file says and begins to write.
func start(db *bbolt.DB, o Options) (*Journal, error) {
	var keys []wire.PublicKey
	if o.Signer.Key != nil {
		keys = []wire.PublicKey{o.Signer.Public()}
	}
	r, err := newReader(db, keys)
	if err != nil {
		return nil, err
	}
	if r.gate != o.Gate {
		return nil, fmt.Errorf("%w: it is that of %s, not of %s", ErrGate, r.gate, o.Gate)
	}
	j := &Journal{
		Reader: r, opts: o, queue: make(chan *request, o.Queue), done: make(chan struct{}),
		update: db.Update, changed: make(chan struct{}),
		disk: func() (int64, error) { return diskLeft(o.Path) },
	}
	if j.lastDay, err = r.checkTail(tailCheck); err != nil {
		return nil, err
	}
	if j.facts, err = r.loadFacts(); err != nil {
		return nil, err
	}
	if err := errors.Join(j.trustMark(), j.loadGap()); err != nil {
		return nil, err
	}
	go j.write()
	return j, nil
}

// Close writes what is queued and closes the file. Everything afterwards fails
// with ErrClosed. It may be called more than once.
func (j *Journal) Close() error {
	j.sending.Lock()
	if !j.closed {
		j.closed = true
		close(j.queue)
	}
	j.sending.Unlock()
	<-j.done
	return j.cause
}

// Err is nil while the journal writes, else ErrFault with its cause.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.down
}

// Ping returns once the writing goroutine has had a turn, whether or not it may
// still write: the proof that it is not stuck.
func (j *Journal) Ping(ctx context.Context) error {
	err := j.do(ctx, func() error { return nil })
	if err != nil && j.Err() != nil {
		return nil // it answers, and what it answers is told by Err
	}
	return err
}

// Changed gives a channel that is closed when the next record is durable.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Usage is how many bytes the journal occupies and how many it may.
func (j *Journal) Usage() (used, limit int64) {
	free := int64(j.db.Stats().FreePageN+j.db.Stats().PendingPageN) * int64(j.db.Info().PageSize)
	err := j.view(func(tx *bbolt.Tx) error {
		used = tx.Size() - free
		return nil
	})
	if err != nil {
		used = j.opts.MaxBytes // unknown counts as full
	}
	return max(used, 0), j.opts.MaxBytes
}

// put sends a request to the writing goroutine. With wait it blocks until
// there is room or ctx ends; without, a full queue is ErrBusy.
func (j *Journal) put(ctx context.Context, r *request, wait bool) error {
	j.sending.RLock()
	defer j.sending.RUnlock()
	if j.closed {
		return ErrClosed
	}
	select {
	case j.queue <- r:
		return nil
	default:
	}
	if !wait {
		return ErrBusy
	}
	select {
	case j.queue <- r: // the writer drains the queue even while Close waits for us
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}
