package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bordergate/cmd/hqd/console"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// station is what a console asks of headquarters: its own lanes and nothing of
// others.
type station struct {
	app   *App
	gates []string // empty: every gate in service
}

// stationBack is how much of the records a console shows.
const stationBack = 24 * time.Hour

// lanes lists the station's gates in service.
func (s station) lanes() []string {
	return slices.DeleteFunc(s.app.fleet.inService(), func(g string) bool {
		return len(s.gates) > 0 && !slices.Contains(s.gates, g)
	})
}

// Lanes implements console.Archive.
func (s station) Lanes() []console.Lane {
	own := s.lanes()
	var out []console.Lane
	for _, v := range s.app.fleet.overview(s.app.ledger.Head(), time.Now()).List {
		if !slices.Contains(own, v.Gate) {
			continue
		}
		why := slices.Clone(v.Faults)
		for _, w := range v.Why {
			if w != "fault" {
				why = append(why, w)
			}
		}
		out = append(out, console.Lane{
			Gate: v.Gate, Up: v.Up, State: v.Mode, Causes: why, Seen: v.Seen, CacheAge: v.CacheAge, Queue: v.Queue, Simulated: v.Simulated,
		})
	}
	return out
}

// Open implements console.Archive.
func (s station) Open(ctx context.Context, ref console.Ref) ([]byte, error) {
	ctx, cancel := soon(ctx, s.app.store.shared)
	defer cancel()
	m, err := s.app.records.stream.GetMsg(ctx, ref.At)
	if err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	out, err := []byte(nil), error(wire.ErrSealed)
	failed := eachNew(m, func(raw journal.RawRecord, keys []wire.DayKey) error {
		if raw.Seq != ref.Seq {
			return nil
		}
		r, bad := wire.DecodeRecord(raw.Bytes)
		if bad == nil && r.Gate == ref.Gate && r.Epoch == ref.Epoch {
			out, err = journal.Personal(&r, s.app.id.opener(keys))
		}
		return bad
	})
	return out, errors.Join(failed, err)
}

// maxHistory is how many crossings of a person a console shows.
const maxHistory = 50

// History implements console.Archive. The person's crossings elsewhere count
// too: he who looks is told of them as the gates' own rules go by them.
func (s station) History(ctx context.Context, account, pass string, since time.Time) ([]console.Crossing, error) {
	if account != "" {
		pass = ""
	}
	found, err := s.app.lookup.crossingsOf(ctx, account, pass, maxHistory, false)
	if err != nil {
		return nil, err
	}
	var out []console.Crossing
	for _, c := range found.Crossings {
		if !c.At.Before(since) {
			out = append(out, console.Crossing{At: c.At, Gate: c.Gate, Direction: c.Direction, Outcome: c.Outcome, Reasons: c.Reasons})
		}
	}
	return out, nil
}

// Portrait implements console.Archive: enrolment gives headquarters a template,
// which is no picture.
func (s station) Portrait(context.Context, string) ([]byte, error) { return nil, nil }

// actWait bounds a command from a console: an officer stands and waits.
const actWait = 8 * time.Second

func (s station) command(ctx context.Context, o CommandOrder) (CommandAnswer, error) {
	o.WaitMS = actWait.Milliseconds()
	return s.app.Command(ctx, o)
}

func result(out CommandAnswer, err error) (console.Result, error) {
	return console.Result{Done: err == nil && out.Outcome == wire.OutcomeExecuted, Why: out.Why}, err
}

// Mode implements console.Orders.
func (s station) Mode(ctx context.Context, gate, mode, by string) (console.Result, error) {
	return result(s.command(ctx, CommandOrder{Gate: gate, Do: wire.DoMode, Mode: mode, By: by}))
}

// Nonce implements console.Orders.
func (s station) Nonce(ctx context.Context, gate, by string) (string, error) {
	out, err := s.command(ctx, CommandOrder{Gate: gate, Do: wire.DoNonce, By: by})
	if err == nil && out.Outcome != wire.OutcomeExecuted {
		err = fmt.Errorf("%w: %s", ErrCommand, out.Why)
	}
	return out.nonce, err
}

// Act implements console.Orders.
func (s station) Act(ctx context.Context, gate string, signed []byte, by string) (console.Result, error) {
	return result(s.command(ctx, CommandOrder{Gate: gate, Do: wire.DoAct, By: by, act: signed}))
}

// Verify implements console.Orders by the list that gates go by.
func (s station) Verify(ctx context.Context, gate, officer string, signed []byte) (wire.Act, error) {
	l, _, _, err := newest[wire.Officers](ctx, s.app, wire.TypeOfficers)
	if err != nil {
		return wire.Act{}, err
	}
	i := slices.IndexFunc(l.Officers, func(o wire.Officer) bool { return o.ID == officer })
	if i < 0 || len(signed) > wire.MaxAct {
		return wire.Act{}, fmt.Errorf("%w: nobody has this id, or the act is too large", ErrOfficer)
	}
	o := l.Officers[i]
	ring, err := wire.NewKeyring(wire.PublicKey{Kid: o.Kid(), Role: wire.RoleOfficer, Key: ed25519.PublicKey(o.Key), NotAfter: time.UnixMilli(o.NotAfter)})
	if err != nil {
		return wire.Act{}, err
	}
	_, payload, err := ring.Verify(signed, wire.Want{Typ: wire.TypeAct, To: gate, Role: wire.RoleOfficer, Now: time.Now()})
	if err != nil {
		return wire.Act{}, err
	}
	act, err := wire.Decode[wire.Act](payload)
	if err == nil {
		err = act.Check()
	}
	return act, err
}

// Stamp implements console.Orders.
func (s station) Stamp(ctx context.Context, pass, by string) error {
	_, err := s.app.ledger.Stamp(ctx, []Stamp{{Pass: pass, By: by}})
	return err
}

// watch gives the console the records of its lanes, those of the last day first
// and then each as it is stored, until ctx ends.
func (s station) watch(ctx context.Context, c *console.Console) {
	var last uint64
	for ctx.Err() == nil {
		if err := s.read(ctx, c, &last); err != nil && ctx.Err() == nil {
			s.app.opts.Logger.Warn("Console does not follow the records", "error", err)
			pause(ctx)
		}
	}
}

func (s station) read(ctx context.Context, c *console.Console, last *uint64) error {
	conf := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: *last + 1}
	if *last == 0 {
		since := time.Now().Add(-stationBack)
		conf.DeliverPolicy, conf.OptStartSeq, conf.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &since
	}
	for _, stream := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm, wire.StreamImage} {
		if len(s.gates) == 0 {
			conf.FilterSubjects = append(conf.FilterSubjects, "rec.*."+stream.String()+".*")
		}
		for _, g := range s.gates {
			conf.FilterSubjects = append(conf.FilterSubjects, "rec."+g+"."+stream.String()+".*")
		}
	}
	one, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	consumer, err := s.app.records.stream.OrderedConsumer(one, conf)
	if err != nil {
		return err
	}
	in, err := consumer.Messages()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, in.Stop)
	defer stop()
	defer in.Stop()
	for {
		m, err := in.Next()
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		*last = meta.Sequence.Stream
		if err := takeInto(c, m.Headers(), m.Data(), *last); err != nil {
			s.app.opts.Logger.Warn("Record not shown at the console", "error", err)
		}
	}
}

func takeInto(c *console.Console, h nats.Header, data []byte, at uint64) error {
	return eachNew(&jetstream.RawStreamMsg{Header: h, Data: data, Sequence: at}, func(raw journal.RawRecord, _ []wire.DayKey) error {
		r, err := wire.DecodeRecord(raw.Bytes)
		if err == nil {
			c.Take(r, console.Ref{At: at, Gate: r.Gate, Epoch: r.Epoch, Seq: r.Seq})
		}
		return err
	})
}
