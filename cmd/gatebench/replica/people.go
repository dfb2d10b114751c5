package replica

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"

	"bordergate/sync/wire"
)

// Account is the id of account n.
func Account(n int) string { return fmt.Sprintf("%012d", n) }

// organisation of account n: one in ten acts for one of a thousand.
func organisation(n int) string {
	if n%10 != 0 {
		return ""
	}
	return fmt.Sprintf("ORG-%03d", n/10%1000)
}

// enrolment is an account as "hqd account put" reads it.
type enrolment struct {
	ID           string `json:"id"`
	Level        int    `json:"level"`
	Kind         string `json:"kind"`
	Organisation string `json:"organisation,omitempty"`
	Model        string `json:"model"`
	Reference    []byte `json:"reference"`
}

// write writes accounts from to to-1 as a list for enrolment. A reference is
// bytes by lot: it packs no better than a real one.
func write(path string, from, to int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	enc := json.NewEncoder(w)
	for n := from; n < to; n++ {
		if _, err := w.WriteString(map[bool]string{true: "[", false: ","}[n == from]); err != nil {
			return err
		}
		lot := rand.New(rand.NewPCG(uint64(n), 7))
		ref := make([]byte, 0, wire.ReferenceSize+8)
		for len(ref) < wire.ReferenceSize {
			ref = binary.LittleEndian.AppendUint64(ref, lot.Uint64())
		}
		if err := enc.Encode(enrolment{
			ID: Account(n), Level: 2, Kind: wire.KindCitizen, Organisation: organisation(n), Model: "sface-2021",
			Reference: ref[:wire.ReferenceSize],
		}); err != nil {
			return err
		}
	}
	if _, err := w.WriteString("]\n"); err != nil {
		return err
	}
	return w.Flush()
}
