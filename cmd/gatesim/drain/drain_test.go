package drain

import (
	"io"
	"testing"
	"time"

	"bordergate/sync/wire"
)

func TestQuantiles(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(100-i)*time.Millisecond)
	}
	if q := quantiles(d); q != (Quantiles{N: 100, P50: 51, P95: 96, P99: 100, Max: 100}) {
		t.Errorf("%+v", q)
	}
	if q := quantiles(nil); q != (Quantiles{}) {
		t.Errorf("of nothing: %+v", q)
	}
}

// TestLiveCountsWhatIsNotKnown holds that a record counts once, however often
// headquarters tells of it, and that one it never tells of is missed.
func TestLiveCountsWhatIsNotKnown(t *testing.T) {
	l := newLive(&run{o: Options{Progress: io.Discard}})
	now := time.Now()
	for i := range 4 {
		l.written[seen{wire.StreamCrossing, uint64(i + 1)}] = now.Add(-time.Minute)
	}
	l.written[seen{wire.StreamAlarm, 1}] = now // not late yet
	for range 2 {
		l.known(seen{wire.StreamCrossing, 2})
	}
	l.known(seen{wire.StreamCrossing, 77}) // of another time
	var r Report
	l.conclude(&r)
	if r.Live.N != 1 || r.Live.Max < 60_000 || r.LiveAlarm.N != 0 || r.Missed != 3 {
		t.Errorf("%+v", r)
	}
}
