package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"bordergate/configs"
)

// Bounds of a fetch. The manifest bounds each file; these bound the rest.
const (
	fetchTimeout = 20 * time.Minute
	maxUnpacked  = 512 << 20 // bytes of one tarball, unpacked
	maxMembers   = 20000     // entries of one tarball
	maxComplaint = 2 << 10   // bytes of npm's complaint that an error repeats
)

// fetchModels brings the missing files into dir, source by source.
func fetchModels(ctx context.Context, e env, manifest *configs.Models, dir string, missing []configs.Model) error {
	wanted := map[string]map[string]configs.Model{} // by source, by member
	for _, m := range missing {
		if wanted[m.Source] == nil {
			wanted[m.Source] = map[string]configs.Model{}
		}
		wanted[m.Source][m.Member] = m
	}
	if len(wanted) == 0 {
		return nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("find npm: it is not on PATH (\"make setup\" installs it; by hand: apt-get install npm)")
	}
	for _, s := range manifest.Sources {
		if len(wanted[s.Name]) == 0 {
			continue
		}
		if err := fetchSource(ctx, e, npm, s, dir, wanted[s.Name]); err != nil {
			return fmt.Errorf("fetch %s: %w", s.NPM, err)
		}
	}
	return nil
}

// fetchSource has npm bring one package into a folder of its own, checks the
// tarball and takes the wanted members out of it.
func fetchSource(ctx context.Context, e env, npm string, s configs.Source, dir string, wanted map[string]configs.Model) error {
	work, err := os.MkdirTemp("", "gatectl-models-")
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer os.RemoveAll(work)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if err := pack(ctx, e, npm, s, work); err != nil {
		return err
	}
	tarball, err := onlyTarball(work)
	if err != nil {
		return err
	}
	if err := checkIntegrity(tarball, s); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make models folder: %w", err)
	}
	return unpack(tarball, dir, wanted)
}

// pack runs "npm pack" into work and draws its progress.
func pack(ctx context.Context, e env, npm string, s configs.Source, work string) error {
	cmd := exec.CommandContext(ctx, npm, "pack", s.NPM, "--ignore-scripts", "--loglevel", "error",
		"--pack-destination", work, "--cache", filepath.Join(work, "cache"))
	cmd.Dir = work
	cmd.WaitDelay = 5 * time.Second
	complaint := &tail{most: maxComplaint}
	cmd.Stderr = complaint
	bar := newBar(e.Err, s.NPM, s.Bytes)
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			bar.at(arrived(work))
		case err := <-done:
			bar.end(err == nil)
			if err != nil {
				return fmt.Errorf("run npm pack: %w: %s (is the registry reachable? \"npm config get registry\" and \"npm ping\" tell)",
					errors.Join(ctx.Err(), err), strings.TrimSpace(complaint.String()))
			}
			return nil
		}
	}
}

// arrived sums up the bytes below dir. Files come and go while npm works, so
// what cannot be looked at counts as nothing.
func arrived(dir string) (sum int64) {
	// The walk's own error is the same: progress is only a picture.
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // see above: a vanished file is no reason to stop
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

func onlyTarball(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("find tarball: npm left %d instead of one", len(found))
	}
	return found[0], nil
}

// checkIntegrity demands the tarball that the manifest names.
func checkIntegrity(path string, s configs.Source) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open tarball: %w", err)
	}
	defer f.Close()
	sum := sha512.New()
	n, err := io.Copy(sum, io.LimitReader(f, s.Bytes+1))
	if err != nil {
		return fmt.Errorf("read tarball: %w", err)
	}
	got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil))
	if n != s.Bytes || got != s.Integrity {
		return fmt.Errorf("check tarball: it is not the one in the manifest: %s (the registry gave another file: "+
			"try again, and do not use this registry if it stays so)", got)
	}
	return nil
}

// unpack takes the wanted members out of a tarball. Where a file goes is the
// manifest's word, never the tarball's.
func unpack(tarball, dir string, wanted map[string]configs.Model) error {
	f, err := os.Open(tarball)
	if err != nil {
		return fmt.Errorf("open tarball: %w", err)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open models folder: %w", err)
	}
	defer root.Close()
	return unpackFrom(f, root, wanted)
}

func unpackFrom(r io.Reader, root *os.Root, wanted map[string]configs.Model) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("unpack tarball: %w", err)
	}
	defer gz.Close()
	archive := tar.NewReader(io.LimitReader(gz, maxUnpacked))
	left := len(wanted)
	for range maxMembers {
		if left == 0 {
			return nil
		}
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpack tarball: %w", err)
		}
		m, ok := wanted[head.Name]
		if !ok || head.Typeflag != tar.TypeReg {
			continue
		}
		if err := keep(archive, root, m); err != nil {
			return err
		}
		left--
	}
	if left > 0 {
		return fmt.Errorf("unpack tarball: %d of %d files of the manifest are not in it", left, len(wanted))
	}
	return nil
}

// keep writes one file under its name once its hash is known to be right, so
// that a file under its name is always whole.
func keep(r io.Reader, root *os.Root, m configs.Model) error {
	if folder := path.Dir(m.File); folder != "." {
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("make folder of %s: %w", m.File, err)
		}
	}
	temp := m.File + ".part"
	f, err := root.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", m.File, err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, m.Bytes+1))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", m.File, err), root.Remove(temp))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, m.SHA256) {
		return errors.Join(fmt.Errorf("refuse model %s: %w: it came with SHA-256 %s, the manifest has %s "+
			"(correct the manifest only if you know why they differ)", m.File, configs.ErrModelHash, got, m.SHA256), root.Remove(temp))
	}
	if err := root.Rename(temp, m.File); err != nil {
		return fmt.Errorf("name %s: %w", m.File, err)
	}
	return nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("hash file: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("hash file %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// tail keeps the last bytes that are written to it.
type tail struct {
	bytes.Buffer
	most int
}

// Write keeps the last most bytes of all that was written.
func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p)
	if over := t.Len() - t.most; over > 0 {
		t.Next(over)
	}
	return len(p), nil
}
