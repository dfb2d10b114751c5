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
	OK      bool           `json:"ok"`
	Gate    string         `json:"gate"`
	Epoch   uint64         `json:"epoch"`
	Streams []StreamReport `json:"streams"`
}

// Err is nil for a journal without findings, else ErrDamaged with the first.
func (r Report) Err() error {
	for _, s := range r.Streams {
		if len(s.Findings) > 0 {
			f := s.Findings[0]
			return fmt.Errorf("%w: %s record %d: %s", ErrDamaged, s.Name, f.Seq, f.Problem)
		}
	}
	return nil
}

// Verify checks every record kept: its form, checksum, place and chain.
func (r *Reader) Verify() error {
	rep, err := r.Check(context.Background())
	if err != nil {
		return err
	}
	return rep.Err()
}

// Check is Verify with everything it found. Its error says that it could not
// be done to the end. It reads in short steps and does not hold up writing.
func (r *Reader) Check(ctx context.Context) (Report, error) {
	rep := Report{OK: true, Gate: r.gate, Epoch: r.epoch}
	heads := r.headsCopy()
	for _, rg := range rangesOf(heads) {
		h := heads[rg.Stream]
		s := StreamReport{Range: rg, Head: h.hash}
		c := chain{gate: r.gate, epoch: r.epoch, stream: rg.Stream, prev: h.anchor}
		if err := r.checkStream(ctx, &s, &c); err != nil {
			return Report{}, fmt.Errorf("check %s: %w", rg.Name, err)
		}
		rep.OK = rep.OK && len(s.Findings) == 0
		rep.Streams = append(rep.Streams, s)
	}
	return rep, nil
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
	day    uint32 // newest seen
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
	return nil
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
