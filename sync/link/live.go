package link

import "bordergate/sync/wire"

// copies sends a copy of each record that was written since the connection and
// would wait behind a backlog. Headquarters knows of it at once; what it stores
// and acknowledges is the record in its place, so a copy that is lost or comes
// twice does no harm.
func (u *Uplink) copies() error {
	for _, r := range u.opts.Journal.Ranges() {
		l := u.lane(r.Stream)
		if !l.copied() || !l.known || r.Next-l.sent <= wire.MaxBatch {
			continue // what waits goes with the next batch
		}
		from := max(l.live, l.told+1, l.sent+1)
		if behind := r.Next - from; from < r.Next && behind > wire.MaxBatch {
			from = r.Next - wire.MaxBatch // the newest matter; the rest comes in its place
		}
		for from < r.Next {
			out, err := u.collect(l, from)
			if err != nil {
				return err
			}
			if err := u.opts.Send(wire.UpLive(u.opts.Gate, l.stream), wire.TypeLive, out.First, out); err != nil {
				return err
			}
			from += uint64(out.N)
			l.told = from - 1
		}
	}
	return nil
}

// copied says whether HQ wants the stream's records before their turn.
func (l *lane) copied() bool {
	return l.stream == wire.StreamCrossing || l.stream == wire.StreamAlarm
}
