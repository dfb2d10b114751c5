package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

const crashEnv = "BORDERGATE_JOURNAL_CRASH_PATH"

// TestCrashChild is the process that TestCrash kills; alone it does nothing.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashEnv)
	if path == "" {
		t.Skip("runs only as a child of TestCrash")
	}
	v, err := vault.Open(filepath.Join(filepath.Dir(path), "vault"), [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	j, err := Open(Options{Path: path, Gate: "lane-1", Vault: v, Signer: gateKey(1), MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm} {
		go func() { // ends with the process
			for i := 0; ; i++ {
				d := draft(i)
				d.Stream = s
				pos, err := j.Append(context.Background(), d)
				if err != nil {
					fmt.Fprintf(os.Stdout, "failed %v\n", err)
					return
				}
				fmt.Fprintf(os.Stdout, "wrote %d %d %s\n", pos.Stream, pos.Seq, pos.Hash)
			}
		}()
	}
	for i := uint64(1); ; i++ {
		if err := j.Advance("n", j.Fact("n")+1); err != nil {
			fmt.Fprintf(os.Stdout, "failed %v\n", err)
			return
		}
		fmt.Fprintf(os.Stdout, "fact %d\n", j.Fact("n"))
	}
}

// TestCrash kills a writing process at random and looks for every record that
// it announced.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	announced := map[string]string{} // stream and sequence: hash
	var fact uint64
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		fact = max(fact, crashRound(t, path, 1+rnd.IntN(150), announced))
		checkAnnounced(t, path, announced, fact)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d records announced in %d lives", len(announced), rounds)
}

// crashRound lets a child live until it has announced n lines, then kills it
// and takes what it announced meanwhile too.
func crashRound(t *testing.T, path string, n int, announced map[string]string) (fact uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for sc := bufio.NewScanner(out); sc.Scan(); {
		f := strings.Fields(sc.Text())
		switch {
		case len(f) == 4 && f[0] == "wrote":
			announced[f[1]+" "+f[2]] = f[3]
		case len(f) == 2 && f[0] == "fact":
			fact, _ = strconv.ParseUint(f[1], 10, 64)
		default:
			t.Errorf("child says %q", sc.Text())
		}
		if lines++; lines == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Errorf("child was not killed: %v", err)
	}
	return fact
}

func checkAnnounced(t *testing.T, path string, announced map[string]string, fact uint64) {
	t.Helper()
	j, err := Open(Options{Path: path, Gate: "lane-1", Signer: gateKey(1), MaxBytes: 64 << 20})
	if err != nil {
		t.Fatalf("open after the kill: %v", err)
	}
	defer j.Close()
	if err := j.Verify(); err != nil {
		t.Error(err)
	}
	if got := j.Fact("n"); got < fact {
		t.Errorf("fact fell from %d to %d", fact, got)
	}
	kept := map[string]string{}
	for _, s := range wire.Streams() {
		err := j.Export(t.Context(), func(raw RawRecord) error {
			kept[fmt.Sprintf("%d %d", s, raw.Seq)] = wire.HashOf(raw.Bytes).String()
			return nil
		}, s)
		if err != nil {
			t.Error(err)
		}
	}
	for id, hash := range announced {
		if kept[id] != hash {
			t.Errorf("record %s was announced as %s and is %q", id, hash, kept[id])
		}
	}
}
