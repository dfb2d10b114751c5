package console

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// Archive is what headquarters knows. Only lanes of the station are asked of.
type Archive interface {
	// Lanes are those of the station as they stand.
	Lanes() []Lane
	// Open gives the personal part of a record.
	Open(ctx context.Context, ref Ref) ([]byte, error)
	// History gives a person's crossings since then, the newest first.
	History(ctx context.Context, account, pass string, since time.Time) ([]Crossing, error)
	// Portrait is the photograph kept at enrolment, JPEG; nil where none is.
	Portrait(ctx context.Context, account string) ([]byte, error)
}

// Orders is what headquarters can have done.
type Orders interface {
	// Mode closes a lane or takes headquarters' own closure back.
	Mode(ctx context.Context, gate, mode, by string) (Result, error)
	// Nonce is the gate's own, for an officer to sign.
	Nonce(ctx context.Context, gate, by string) (string, error)
	// Verify reads an act as the gate will, and demands that it is this
	// officer's.
	Verify(ctx context.Context, gate, officer string, signed []byte) (wire.Act, error)
	// Act carries a signed act to the gate.
	Act(ctx context.Context, gate string, signed []byte, by string) (Result, error)
	// Stamp records the stamp on a pass.
	Stamp(ctx context.Context, pass, by string) error
}

// Result is what a gate made of an order.
type Result struct {
	Done bool   `json:"done"`
	Why  string `json:"why,omitempty"`
}

// Lane is a lane as it stands.
type Lane struct {
	Gate      string    `json:"gate"`
	Up        bool      `json:"up"`
	State     string    `json:"state"` // what it says it is doing
	Causes    []string  `json:"causes,omitempty"`
	Seen      time.Time `json:"seen,omitzero"`
	CacheAge  float64   `json:"cache_age_s"` // -1: none
	Queue     uint64    `json:"queue"`
	Simulated bool      `json:"simulated"`
	Since     time.Time `json:"since,omitzero"` // when it was first seen to stand so; the console's
}

// Crossing is one of a person's.
type Crossing struct {
	At        time.Time `json:"at"`
	Gate      string    `json:"gate"`
	Direction string    `json:"direction,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Reasons   []string  `json:"reasons,omitempty"`
}

// Options of a console.
type Options struct {
	Station string
	TLS     *tls.Config // nil: on this machine alone, and without TLS
	Archive Archive
	Orders  Orders
	// OpenLog opens the log; take is called with each entry that counts, those
	// of before and those that come, in their order.
	OpenLog func(ctx context.Context, take func(Entry)) (Log, error)

	Idle    time.Duration // a session ends when so long unused, 15 min
	Longest time.Duration // and at the latest after this, 12 h
	Late    time.Duration // an exception should be answered by then, 60 s
	Watch   time.Duration // from when a change of the watch is due, 60 min

	Simulated bool
	Now       func() time.Time
	Logger    *slog.Logger
}

// Console is a station's console.
type Console struct {
	o      Options
	log    Log
	board  *board
	hub    *hub
	limit  limiter
	turn   chan struct{} // log-ins at once
	dummy  string        // a hash that no password has
	begun  time.Time
	done   chan struct{}
	routes http.Handler

	mu       sync.Mutex
	users    map[string]User
	sessions map[string]*session
}

// New opens the log and takes up what stands in it.
func New(ctx context.Context, o Options) (*Console, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	for to, d := range map[*time.Duration]time.Duration{
		&o.Idle: 15 * time.Minute, &o.Longest: 12 * time.Hour, &o.Late: time.Minute, &o.Watch: time.Hour,
	} {
		if *to <= 0 {
			*to = d
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := make([]byte, 8)
	_, _ = rand.Read(b) // crypto/rand never fails
	c := &Console{
		o: o, hub: newHub(hex.EncodeToString(b)), turn: make(chan struct{}, loginsAtOnce), begun: o.Now(), done: make(chan struct{}),
		users: make(map[string]User), sessions: make(map[string]*session),
	}
	c.board = newBoard(o.Now, o.Late, c.hub.tell)
	var err error
	if c.dummy, err = hashPassword(newSessionID()); err != nil {
		return nil, err
	}
	if c.log, err = o.OpenLog(ctx, c.take); err != nil {
		return nil, fmt.Errorf("open console: %w", err)
	}
	c.routes = c.handler()
	return c, nil
}

// Take takes in a stored record of one of the station's lanes.
func (c *Console) Take(r wire.Record, ref Ref) { c.board.Take(r, ref) }

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.routes.ServeHTTP(w, r) }

// Times of the listener.
const (
	headerTime = 5 * time.Second
	readTime   = 15 * time.Second
	idleTime   = 2 * time.Minute
	maxBody    = 16 << 10
	watchEvery = time.Second
)

// Serve answers on the listener until ctx ends.
func (c *Console) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: http.MaxBytesHandler(c, maxBody), TLSConfig: c.o.TLS, ReadHeaderTimeout: headerTime, ReadTimeout: readTime,
		IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(c.o.Logger.Handler(), slog.LevelDebug),
	}
	if c.o.TLS != nil {
		ln = tls.NewListener(ln, c.o.TLS)
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.keep(ctx) })
	stop := context.AfterFunc(ctx, func() { close(c.done); _ = srv.Close() })
	defer stop()
	err := srv.Serve(ln)
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// keep tells of what changes by itself: lanes, times, sessions.
func (c *Console) keep(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	var before []Lane
	for {
		now := c.lanes()
		for _, l := range now {
			if !contains(before, l) {
				c.hub.tell("lane", l)
			}
		}
		before = now
		for _, id := range c.board.overdue(c.begun) {
			if err := c.note(ctx, Entry{Who: bySystem, Do: DidOverdue, On: id}, nil); err != nil {
				c.o.Logger.Warn("Overdue answer is not on record", "error", err)
			}
		}
		c.endSessions(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// contains compares what a page shows; the times of mere life signs are told
// once they are minutes apart.
func contains(list []Lane, l Lane) bool {
	for _, x := range list {
		if x.Gate == l.Gate {
			if l.Seen.Sub(x.Seen) < 5*time.Second && (l.CacheAge-x.CacheAge < 5) && (x.CacheAge-l.CacheAge < 5) {
				x.Seen, x.CacheAge, x.Queue = l.Seen, l.CacheAge, l.Queue
			}
			return reflect.DeepEqual(x, l)
		}
	}
	return false
}

// lanes are the station's, with since when they stand so.
func (c *Console) lanes() []Lane {
	list := c.o.Archive.Lanes()
	c.board.since(list)
	return list
}

// lane finds one of the station's.
func (c *Console) lane(gate string) bool {
	for _, l := range c.o.Archive.Lanes() {
		if l.Gate == gate {
			return true
		}
	}
	return false
}
