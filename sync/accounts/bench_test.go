package accounts

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bordergate/sync/wire"
)

// anonymous is this process's anonymous memory, bytes.
func anonymous(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc here")
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		b.Skip("no RssAnon here")
	}
	n, _ := strconv.ParseInt(f[0], 10, 64)
	return n << 10
}

// BenchmarkInstallSnapshot installs a snapshot of SNAPSHOT_ACCOUNTS accounts,
// 100,000 by default, each with a face reference, and looks accounts up.
func BenchmarkInstallSnapshot(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SNAPSHOT_ACCOUNTS"))
	if err != nil {
		n = 100_000
	}
	for b.Loop() {
		r, err := Open(Options{Path: b.TempDir() + "/accounts.db", Key: [32]byte{1}})
		if err != nil {
			b.Fatal(err)
		}
		s := snapshotOfMany(b, n)
		before, start := anonymous(b), time.Now()
		var peak int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			next, err := r.BeginSnapshot(s.m, s.key)
			for ; err == nil && next < len(s.pieces); next, err = r.AddPiece(next, s.pieces[next]) {
			}
			if err == nil {
				err = r.InstallSnapshot(b.Context())
			}
			if err != nil {
				b.Error(err)
			}
		}()
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-tick.C:
				peak = max(peak, anonymous(b)-before)
				continue
			case <-done:
				tick.Stop()
			}
			break
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/install")
		b.ReportMetric(float64(peak)/1e6, "MB-anon")
		b.ReportMetric(float64(r.Stats().Bytes)/float64(n), "B/account")
		times := make([]time.Duration, 200_000)
		for i := range times {
			id := fmt.Sprintf("VN-%012d", i*7919%n)
			t := time.Now()
			_, _, err := r.Show(id)
			if times[i] = time.Since(t); err != nil {
				b.Fatal(err)
			}
		}
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)*99/100])/1e3, "µs-p99")
		b.ReportMetric(float64(times[len(times)/2])/1e3, "µs-p50")
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// snapshotOfMany makes a snapshot as headquarters does, in memory.
func snapshotOfMany(b *testing.B, n int) sent {
	b.Helper()
	s := sent{key: [32]byte{8}, m: wire.Snapshot{
		ID: strings.Repeat("0b", 16), Epoch: testEpoch, Seq: uint64(n), Made: 1, Key: "g1", Items: uint64(n),
	}}
	const per = 400
	pages := ((n+per-1)/per + wire.PieceHashes - 1) / wire.PieceHashes
	var hashes []wire.Hash
	var chunks [][]byte
	var items []byte
	for i := range n {
		c := put(fmt.Sprintf("VN-%012d", i), 1)
		for j := range c.Reference {
			c.Reference[j] = byte(uint32(i*160+j) * 2654435761 >> 24)
		}
		items = wire.AppendItem(items, rawOf(b, c))
		if (i+1)%per == 0 || i+1 == n {
			p, err := wire.SealPiece(s.m.ID, pages+len(chunks), items, s.key)
			if err != nil {
				b.Fatal(err)
			}
			chunks, hashes, items = append(chunks, p), append(hashes, wire.HashOf(p)), items[:0]
		}
	}
	for _, p := range wire.SnapshotPages(hashes) {
		s.pieces, s.m.Index = append(s.pieces, p), append(s.m.Index, wire.HashOf(p))
	}
	s.pieces = append(s.pieces, chunks...)
	s.m.Pieces = len(s.pieces)
	for _, p := range s.pieces {
		s.m.Bytes += int64(len(p))
	}
	return s
}

func rawOf(b *testing.B, c wire.Change) []byte {
	b.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		b.Fatal(err)
	}
	return raw
}
