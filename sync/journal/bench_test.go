package journal

import (
	"path/filepath"
	"testing"

	"bordergate/sync/wire"
)

// BenchmarkAppend is the time until one record is durable, without the signed
// mark and with it.
func BenchmarkAppend(b *testing.B) {
	for name, key := range map[string]wire.Signer{"plain": {}, "marked": gateKey(1)} {
		b.Run(name, func(b *testing.B) {
			j, err := Open(Options{Path: filepath.Join(b.TempDir(), "journal.db"), Gate: "lane-1", Signer: key})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			d := draft(1)
			d.Personal = nil
			for b.Loop() {
				if _, err := j.Append(b.Context(), d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMark is what a mark costs a transaction beside its write.
func BenchmarkMark(b *testing.B) {
	j := Journal{Reader: &Reader{gate: "lane-1", epoch: 7}, opts: Options{Signer: gateKey(1)}}
	for b.Loop() {
		if _, err := j.signHeads(newHeads(), wire.Hash{}); err != nil {
			b.Fatal(err)
		}
	}
}
