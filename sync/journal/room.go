package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"bordergate/sync/wire"
)

// Every stream has a budget of its own, so that none takes another's room. Of
// Options.MaxBytes these are the shares in 32; what is left is the file's own
// structure.
var shares = map[wire.Stream]int64{
	wire.StreamCrossing: 22, wire.StreamAlarm: 2, wire.StreamTelemetry: 1, wire.StreamImage: 4,
}

// reserves is how much of the disk a stream leaves to those of higher rank: a
// disk that fills up for another cause takes pictures first.
var reserves = map[wire.Stream]int64{
	wire.StreamCrossing: 32 << 20, wire.StreamAlarm: 32 << 20, wire.StreamTelemetry: 128 << 20, wire.StreamImage: 256 << 20,
}

// Percentages of a budget at which something happens.
const (
	FillWarn  = 70 // headquarters is told, telemetry thins out
	FillAlarm = 85 // it is told again, telemetry thins out more
	FillStop  = 95 // the gate must admit nobody; no telemetry
)

// KindGap is the kind of the record that stands where telemetry was left out.
const KindGap = "gap"

// ErrThinned says that a telemetry record was left out for want of room. The
// next one that is written is preceded by the record of the gap.
var ErrThinned = errors.New("telemetry is thinned out for want of room")

// Gap is the public part of a gap's record: so many records between two times
// were left out.
type Gap struct {
	Dropped uint64    `json:"dropped"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
}

// Fill is how much of its room a stream has used.
type Fill struct {
	Stream wire.Stream
	Used   int64 // bytes
	// Budget is what it may use: its own share, or less where the disk or the
	// file has less left.
	Budget int64
}

// Percent is Used of Budget, rounded down, 100 at most.
func (f Fill) Percent() int {
	if f.Budget <= 0 || f.Used >= f.Budget {
		return 100
	}
	return int(f.Used * 100 / f.Budget)
}

// Fills is how full each stream is, in the order of wire.Streams.
func (j *Journal) Fills() []Fill {
	heads := j.headsCopy()
	file, disk := j.left()
	var out []Fill
	for _, s := range wire.Streams() {
		used := heads[s].bytes
		out = append(out, Fill{Stream: s, Used: used, Budget: min(j.budget(s), used+roomOf(s, file, disk))})
	}
	return out
}

func (j *Journal) budget(s wire.Stream) int64 {
	if b := j.opts.Budgets[s]; b > 0 {
		return b
	}
	return j.opts.MaxBytes / 32 * shares[s]
}

// roomOf is how much a stream may still grow with so much left in the file and
// on the disk beside it.
func roomOf(s wire.Stream, file left, disk int64) int64 {
	return max(0, min(file.growth, file.free+max(0, disk-reserves[s])))
}

// left is what the file has left.
type left struct {
	free   int64 // pages in the file that are not in use
	growth int64 // until MaxBytes is used
}

func (j *Journal) left() (left, int64) {
	stats := j.db.Stats()
	used, limit := j.Usage()
	file := left{free: int64(stats.FreePageN+stats.PendingPageN) * int64(j.db.Info().PageSize), growth: limit - used}
	disk, err := j.disk()
	if err != nil {
		disk = 0 // unknown counts as full
	}
	return file, disk
}

// diskLeft is what a program may still write to the file system of path.
func diskLeft(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, fmt.Errorf("look at the disk: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// cost is about how many bytes of the file a record of n bytes takes: pages of
// small ones are filled to nine tenths, a large one ends in half a page.
func cost(n int) int64 {
	if n < 2048 {
		return int64(n+24) * 10 / 9
	}
	return int64(n + 24 + 2048)
}

// admits refuses a record for which its stream has no room. Those of the two
// upper ranks are measured by their own share alone: the disk itself says when
// it is full, and the gate has stopped before.
func (j *Journal) admits(r *request, h *head) error {
	s, n := r.rec.Stream, cost(len(r.rec.Public)+len(r.personal)+recordFrame)
	if s == wire.StreamImage || s == wire.StreamTelemetry {
		file, disk := j.left()
		if n > roomOf(s, file, disk) {
			return fmt.Errorf("%w: the disk has no room left for %s records", ErrFull, s)
		}
	}
	if h.bytes+n > j.budget(s) {
		return fmt.Errorf("%w: the budget of %s records, %d bytes, is used", ErrFull, s, j.budget(s))
	}
	return nil
}

// recordFrame is what an encoding has beside its public and personal parts.
const recordFrame = 256

// thinning follows what is left out of telemetry. It lives in the file's meta
// bucket, so that a crash forgets no gap.
type thinning struct {
	gap  Gap
	seen uint64 // since the journal was opened
}

var keyGap = []byte("gap")

// drops says whether a telemetry record is left out now, and remembers it.
func (t *thinning) drops(r *request, percent int) bool {
	every := uint64(1)
	switch {
	case percent >= FillStop:
		every = 0
	case percent >= FillAlarm:
		every = 16
	case percent >= FillWarn:
		every = 4
	}
	t.seen++
	if every > 0 && t.seen%every == 0 {
		return false
	}
	at := time.Unix(0, r.rec.Wall).UTC()
	if t.gap.Dropped == 0 {
		t.gap.From = at
	}
	t.gap.Dropped++
	t.gap.To = at
	return true
}

// thin takes out of a batch what is left out, and puts the record of a gap
// before the first that stays.
func (j *Journal) thin(batch []*request) (kept, dropped []*request) {
	percent := -1
	for _, r := range batch {
		if r.rec.Stream != wire.StreamTelemetry {
			kept = append(kept, r)
			continue
		}
		if percent < 0 {
			percent = j.Fills()[wire.StreamTelemetry-1].Percent()
		}
		if j.thinning.drops(r, percent) {
			dropped = append(dropped, r)
			continue
		}
		if gap := j.thinning.gap; gap.Dropped > 0 {
			j.thinning.gap = Gap{}
			g, err := j.request(Draft{Stream: wire.StreamTelemetry, Kind: KindGap, Public: gap}, func(Position, error) {})
			if err == nil {
				kept = append(kept, g)
			}
		}
		kept = append(kept, r)
	}
	return kept, dropped
}

// putGap writes what is owed of a gap.
func putGap(tx *bbolt.Tx, g Gap) error {
	if g.Dropped == 0 {
		return tx.Bucket(bucketMeta).Delete(keyGap)
	}
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyGap, text)
}

func (j *Journal) loadGap() error {
	return j.view(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucketMeta).Get(keyGap)
		if text == nil {
			return nil
		}
		if err := json.Unmarshal(text, &j.thinning.gap); err != nil {
			return fmt.Errorf("%w: the gap of telemetry: %w", ErrDamaged, err)
		}
		return nil
	})
}
