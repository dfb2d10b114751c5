package journal

import (
	"context"
	"errors"
	"fmt"

	"bordergate/sync/wire"
)

// maxFindings bounds the findings listed for one stream.
const maxFindings = 20

// Finding is one thing wrong with a stream.
type Finding struct {
	Seq     uint64 `json:"seq"`
	Problem string `json:"problem"`
}

// StreamReport is what Check found in one stream.
type StreamReport struct {
	Range
	Records  uint64    `json:"records"` // checked
	Head     wire.Hash `json:"head"`    // hash of the last record
	Findings []Finding `json:"findings,omitempty"`
}

// Report is what Check found. It holds no personal data.
type Report struct {
	OK          bool           `json:"ok"`
	Gate        string         `json:"gate"`
	Epoch       uint64         `json:"epoch"`
	Mark        Mark           `json:"mark"`
	Problem     string         `json:"problem,omitempty"` // of the whole file
	Checkpoints int            `json:"checkpoints"`       // on record, each compared
	Streams     []StreamReport `json:"streams"`
}

// Err is nil for a journal without findings, else ErrDamaged with the first.
func (r Report) Err() error {
	if r.Problem != "" {
		return fmt.Errorf("%w: %s", ErrDamaged, r.Problem)
	}
	for _, s := range r.Streams {
		if len(s.Findings) > 0 {
			f := s.Findings[0]
			return fmt.Errorf("%w: %s record %d: %s", ErrDamaged, s.Name, f.Seq, f.Problem)
		}
	}
	return nil
}

// Verify checks every record kept: its form, checksum, place and chain, and
// the whole against the signed mark and checkpoints.
func (r *Reader) Verify() error {
	rep, err := r.Check(context.Background())
	if err != nil {
		return err
	}
	return rep.Err()
}

// Check is Verify with everything it found. Its error says that it could not
// be done to the end. It reads in short steps and does not hold up writing.
//
// What it cannot find is a whole file exchanged for an earlier state of the
// same file: headquarters finds that, which holds more than the gate then has.
func (r *Reader) Check(ctx context.Context) (Report, error) {
	rep := Report{Gate: r.gate, Epoch: r.epoch}
	var err error
	if rep.Mark, err = r.readMark(); errors.Is(err, ErrDamaged) {
		rep.Problem = err.Error()
	} else if err != nil {
		return Report{}, fmt.Errorf("check mark: %w", err)
	}
	heads := r.headsCopy()
	rep.Streams = make([]StreamReport, len(wire.Streams()))
	marks := &checkpoints{ring: r.ring, said: map[wire.Stream]map[uint64]wire.Hash{}}
	for _, s := range checkOrder() {
		h := heads[s]
		rg := rangesOf(heads)[s-1]
		sr := StreamReport{Range: rg, Head: h.hash}
		c := chain{gate: r.gate, epoch: r.epoch, stream: s, prev: h.anchor, marks: marks}
		if err := marks.holds(s, h.first-1, h.anchor); err != nil {
			sr.Findings = append(sr.Findings, Finding{h.first - 1, err.Error()})
		}
		if err := r.checkStream(ctx, &sr, &c); err != nil {
			return Report{}, fmt.Errorf("check %s: %w", rg.Name, err)
		}
		if seq, ok := marks.beyond(s, h.next); ok && len(sr.Findings) < maxFindings {
			sr.Findings = append(sr.Findings, Finding{seq, "a signed checkpoint speaks of it and it is not there"})
		}
		rep.Streams[s-1] = sr
	}
	rep.Checkpoints = marks.n
	rep.OK = rep.Err() == nil
	return rep, nil
}

// checkOrder has the stream first that holds the checkpoints.
func checkOrder() []wire.Stream {
	out := []wire.Stream{wire.StreamAlarm}
	for _, s := range wire.Streams() {
		if s != wire.StreamAlarm {
			out = append(out, s)
		}
	}
	return out
}

func (r *Reader) checkStream(ctx context.Context, s *StreamReport, c *chain) error {
	for from := s.First; from < s.Next && len(s.Findings) < maxFindings; {
		if err := ctx.Err(); err != nil {
			return err
		}
		raws, err := r.read(s.Stream, from, int(min(chunk, s.Next-from)))
		switch {
		case errors.Is(err, ErrPruned): // meanwhile, by retention: go on from there
			h, err := r.head(s.Stream)
			if err != nil {
				return err
			}
			from, c.prev = h.first, h.anchor
			continue
		case errors.Is(err, ErrDamaged):
			s.Findings = append(s.Findings, Finding{from, err.Error()})
			return nil
		case err != nil:
			return err
		case len(raws) == 0:
			return nil
		}
		for _, raw := range raws {
			s.Records++
			if err := c.next(raw); err != nil && len(s.Findings) < maxFindings {
				s.Findings = append(s.Findings, Finding{raw.Seq, err.Error()})
			}
		}
		from += uint64(len(raws))
	}
	return nil
}

// chain follows a stream's records one by one.
type chain struct {
	gate   string
	epoch  uint64
	stream wire.Stream
	prev   wire.Hash
	day    uint32       // newest seen
	marks  *checkpoints // nil: not followed
}

// next checks a record against what came before it, and takes its hash even if
// it is wrong, so that one bad record is one finding.
func (c *chain) next(raw RawRecord) error {
	prev := c.prev
	c.prev = wire.HashOf(raw.Bytes)
	rec, err := wire.DecodeRecord(raw.Bytes)
	switch {
	case err != nil:
		return err
	case rec.Gate != c.gate || rec.Epoch != c.epoch || rec.Stream != c.stream || rec.Seq != raw.Seq:
		return errors.New("record belongs elsewhere")
	case rec.Prev != prev:
		return errors.New("record does not follow the one before it")
	}
	if len(rec.Sealed) > 0 {
		c.day = max(c.day, rec.Day)
	}
	switch {
	case c.marks == nil:
		return nil
	case rec.Stream == wire.StreamAlarm && rec.Kind == KindCheckpoint:
		return c.marks.take(&rec)
	default:
		return c.marks.holds(c.stream, raw.Seq, c.prev)
	}
}

// checkTail checks the last n records of every stream and gives the newest day
// they were sealed under.
func (r *Reader) checkTail(n uint64) (day uint32, err error) {
	heads := r.headsCopy()
	for _, s := range wire.Streams() {
		h := heads[s]
		from, prev := h.first, h.anchor
		skip := h.next-h.first > n
		if skip {
			from = h.next - n
		}
		raws, err := r.read(s, from, int(min(n, h.next-from)))
		if err != nil {
			return 0, err
		}
		c := chain{gate: r.gate, epoch: r.epoch, stream: s, prev: prev}
		for i, raw := range raws {
			if i == 0 && skip { // what stands before it is not read
				rec, err := wire.DecodeRecord(raw.Bytes)
				if err != nil {
					return 0, fmt.Errorf("%w: %s record %d: %w", ErrDamaged, s, raw.Seq, err)
				}
				c.prev = rec.Prev
			}
			if err := c.next(raw); err != nil {
				return 0, fmt.Errorf("%w: %s record %d: %w", ErrDamaged, s, raw.Seq, err)
			}
		}
		day = max(day, c.day)
	}
	return day, nil
}
