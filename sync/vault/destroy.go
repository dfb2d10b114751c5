package vault

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Proof says that a day's key was destroyed: what belongs into the journal.
// It holds nothing secret.
type Proof struct {
	Class Class     `json:"class"`
	Day   uint32    `json:"day"`
	At    time.Time `json:"at"`
	// File is the hex SHA-256 of the wrapped key file that was destroyed.
	File string `json:"file"`
}

// Destroy destroys the key of class and day for ever and returns when that is
// durable. A second call gives the first one's proof again, so that a crash
// between Destroy and the journal loses no proof. A day that never had a key
// gives ErrNoKey.
//
// The key file is overwritten in place before it is removed; on flash the old
// cells may survive until the device reuses them, readable only with the
// master key.
func (v *Vault) Destroy(class Class, day uint32) (Proof, error) {
	if class == 0 || class >= classEnd {
		return Proof{}, fmt.Errorf("%w: %d", ErrClass, class)
	}
	v.life.Lock()
	defer v.life.Unlock()
	s := slot{class, day}
	p, err := v.proof(s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if p, err = v.bury(s); err != nil {
			return Proof{}, err
		}
	case err != nil:
		return Proof{}, err
	}
	v.forget(s)
	if err := wipe(v.dir, v.keyPath(s)); err != nil {
		return Proof{}, fmt.Errorf("destroy day key: %w", err)
	}
	return p, nil
}

// bury writes the day's tombstone. From then on the key is destroyed, even if
// the machine stops before its file is gone.
func (v *Vault) bury(s slot) (Proof, error) {
	b, err := os.ReadFile(v.keyPath(s))
	if errors.Is(err, fs.ErrNotExist) {
		return Proof{}, ErrNoKey
	}
	if err != nil {
		return Proof{}, fmt.Errorf("read day key: %w", err)
	}
	sum := sha256.Sum256(b)
	p := Proof{Class: s.class, Day: s.day, At: v.now().UTC(), File: hex.EncodeToString(sum[:])}
	text, err := json.Marshal(p)
	if err != nil {
		return Proof{}, fmt.Errorf("encode proof: %w", err)
	}
	if err := CreateFile(v.gonePath(s), text); err != nil {
		return Proof{}, fmt.Errorf("create tombstone: %w", err)
	}
	return p, nil
}

// proof reads the day's tombstone; fs.ErrNotExist where there is none.
func (v *Vault) proof(s slot) (Proof, error) {
	b, err := os.ReadFile(v.gonePath(s))
	if err != nil {
		return Proof{}, fmt.Errorf("read tombstone: %w", err)
	}
	return parseProof(s, b)
}

func parseProof(s slot, b []byte) (Proof, error) {
	var p Proof
	if err := json.Unmarshal(b, &p); err != nil {
		return Proof{}, fmt.Errorf("read tombstone: %w", err)
	}
	if p.Class != s.class || p.Day != s.day {
		return Proof{}, fmt.Errorf("read tombstone %s: it is for class %d, day %d", s.name(), p.Class, p.Day)
	}
	return p, nil
}

func (v *Vault) forget(s slot) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.cache[s]; c != nil {
		clear(c.key.raw[:])
		delete(v.cache, s)
	}
}

// wipe overwrites and removes a file; a file that is gone is fine.
func wipe(dir, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	noise := make([]byte, keyLen)
	rand.Read(noise)
	_, err = f.WriteAt(noise, 0)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncDir(dir)
}

// finish ends every destruction that has a tombstone and still a key file, and
// removes what unfinished creations left.
func (v *Vault) finish() error {
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".new-") {
			if err := wipe(v.dir, v.dir+"/"+e.Name()); err != nil {
				return fmt.Errorf("remove unfinished file: %w", err)
			}
			continue
		}
		name, gone := strings.CutSuffix(e.Name(), goneExt)
		s, ok := parseSlot(name)
		if !gone || !ok {
			continue
		}
		if err := wipe(v.dir, v.keyPath(s)); err != nil {
			return fmt.Errorf("finish destruction of %s: %w", name, err)
		}
	}
	return nil
}

// Proofs lists the proofs of a class's destroyed days, in order of the days.
func (v *Vault) Proofs(class Class) ([]Proof, error) {
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return nil, fmt.Errorf("list destroyed days: %w", err)
	}
	var out []Proof
	for _, e := range entries {
		name, gone := strings.CutSuffix(e.Name(), goneExt)
		s, ok := parseSlot(name)
		if !gone || !ok || s.class != class {
			continue
		}
		p, err := v.proof(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Proof) int { return cmp.Compare(a.Day, b.Day) })
	return out, nil
}

// Days lists the days of a class that have a key, in order: what a retention
// schedule has to look at.
func (v *Vault) Days(class Class) ([]uint32, error) {
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return nil, fmt.Errorf("list day keys: %w", err)
	}
	var days []uint32
	for _, e := range entries {
		name, isKey := strings.CutSuffix(e.Name(), keyExt)
		if s, ok := parseSlot(name); isKey && ok && s.class == class {
			days = append(days, s.day)
		}
	}
	slices.Sort(days)
	return days, nil
}
