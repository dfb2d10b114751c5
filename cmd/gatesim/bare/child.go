package bare

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"bordergate/sync/wire"
)

// What a gate that runs as a process of its own says, a line each:
//
//	recorded STREAM EPOCH SEQ HASH NONCE   a record is durable
//	acked STREAM CUM NEXT                  of which headquarters has CUM
//	place EPOCH CURSOR HASH SYNCED         where its replica stands
//	account ID STATUS LEVEL VER REFERENCE  as its replica has it
//	count CAUSE N                          what its link has counted
//	dumped                                 that was all of them
//	wrong TEXT                             what must never happen has happened
//
// It is told "record N", which has it append N records, "ask" and "dump"; the
// end of its input ends it.
const (
	SaidRecorded = "recorded"
	SaidAcked    = "acked"
	SaidPlace    = "place"
	SaidAccount  = "account"
	SaidCount    = "count"
	SaidDumped   = "dumped"
	SaidWrong    = "wrong"
)

// NonceLen is the length of a record's nonce in what is said.
const NonceLen = 32

// writers is how many records are appended at a time.
const writers = 4

// shares says how many of 20 records go to each stream.
var shares = [...]struct {
	stream wire.Stream
	kind   string
	n      int
}{{wire.StreamCrossing, "decision", 15}, {wire.StreamAlarm, "alarm", 3}, {wire.StreamTelemetry, "health", 1}, {wire.StreamImage, "image", 1}}

type child struct {
	gate  *Gate
	known []string

	mu  sync.Mutex
	out io.Writer
}

func (c *child) say(format string, a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.out, format+"\n", a...) // the reader is gone: so are we, soon
}

// Run is a gate's whole life as a process: it serves until in ends.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	c := &child{out: out, known: o.Known}
	o.OnFatal = func(err error) { c.say("%s %v", SaidWrong, err) }
	o.OnOrder = func(err error) { c.say("%s %v", SaidWrong, err) }
	var err error
	if c.gate, err = Open(o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel()
		wg.Wait()
	}()
	if c.gate.Link != nil {
		wg.Go(func() { _ = c.gate.Serve(ctx) }) // ends with ctx
	}
	due := make(chan struct{}, 1<<16)
	for range writers {
		wg.Go(func() { c.write(ctx, due) })
	}
	err = c.obey(ctx, in, due)
	cancel()
	wg.Wait()
	return errors.Join(err, c.gate.Close())
}

// obey does what it is told until there is no more.
func (c *child) obey(ctx context.Context, in io.Reader, due chan<- struct{}) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var n int
		switch _, err := fmt.Sscanf(lines.Text(), "record %d", &n); {
		case err == nil:
			for range n {
				select {
				case due <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		case lines.Text() == "ask":
			c.ask()
		case lines.Text() == "dump":
			c.dump()
		default:
			return fmt.Errorf("gate was told %.40q", lines.Text())
		}
	}
	return lines.Err()
}

// write appends a record for each that is due and says so once it is durable.
func (c *child) write(ctx context.Context, due <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
		}
		var nonce [16]byte
		_, _ = rand.Read(nonce[:]) // never fails
		pick, text := int(nonce[0])%20, hex.EncodeToString(nonce[:])
		kind := shares[0]
		for _, s := range shares {
			if kind = s; pick < s.n {
				break
			}
			pick -= s.n
		}
		personal := fmt.Appendf(nil, `{"nonce":%q}`, text)
		if kind.stream == wire.StreamImage { // evidence is large
			personal = fmt.Appendf(nil, `{"nonce":%q,"picture":%q}`, text, hex.EncodeToString(make([]byte, 8<<10)))
		}
		p, err := c.gate.Record(ctx, kind.stream, kind.kind, map[string]string{"outcome": "admitted"}, personal)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.say("%s %v", SaidWrong, err)
		default:
			c.say("%s %s %d %d %s %s", SaidRecorded, p.Stream, p.Epoch, p.Seq, p.Hash, text)
		}
	}
}

// ask says where the journal and the replica stand.
func (c *child) ask() {
	for _, r := range c.gate.Journal.Ranges() {
		c.say("%s %s %d %d", SaidAcked, r.Name, r.Acked, r.Next)
	}
	s := c.gate.Accounts.Stats()
	c.say("%s %d %d %s %v", SaidPlace, s.Epoch, s.Cursor, s.Hash, s.Synced)
}

func (c *child) dump() {
	for _, id := range c.known {
		a, found, err := c.gate.Accounts.Lookup(id)
		switch {
		case err != nil:
			c.say("%s look up %s: %v", SaidWrong, id, err)
		case found:
			c.say("%s %s %s %d %d %x", SaidAccount, id, a.Status, a.Level, a.Ver, a.Reference)
		}
	}
	if c.gate.Link != nil {
		for cause, n := range c.gate.Link.Status().Counters {
			c.say("%s %s %d", SaidCount, cause, n)
		}
	}
	c.say(SaidDumped)
}
