package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"bordergate/cmd/gated/technician"
	"bordergate/configs"
)

// technicianIdle is after how long a session that nobody uses ends.
const technicianIdle = 30 * time.Minute

// openTechnician serves the technician's page, where the gate has one. Like the
// screen it comes before whatever may be missing.
func (a *App) openTechnician() error {
	c := a.cfg.Technician
	if !c.Present() {
		return nil
	}
	s, err := technician.New(technician.Options{
		Listen: c.Listen, Cert: c.Cert, Key: c.Key, TokenFile: c.TokenFile,
		Page: a.technicianPage, Shot: a.shot, Idle: technicianIdle, Now: time.Now,
	})
	if err != nil {
		return err
	}
	a.technician = s
	a.run("technician's page", s.Serve)
	a.onClose("technician's page", s.Close)
	return nil
}

// shot is what a camera shows the technician.
func (a *App) shot(ctx context.Context, camera string, after uint64) technician.Shot {
	for _, e := range a.eyes {
		if e.name == camera+"_camera" && e.bench != nil {
			return e.bench.newer(ctx, after)
		}
	}
	return technician.Shot{Why: "This camera could not be opened: the status page says why."}
}

// programHash is the SHA-256 of the program that runs.
var programHash = sync.OnceValue(func() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "not known: " + err.Error()
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "not known: " + err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
})

// hashes are those of the program and of the networks; the networks' were
// compared with the files at the start, or the gate has none.
func (a *App) hashes() []row {
	rows := []row{say("", "program", version(), short(programHash())), say("", "configuration", map[bool]string{true: "in use", false: "none"}[a.digest().config != ""], short(orNone(a.digest().config)))}
	if a.matcher.model == nil {
		return append(rows, say(technician.Warn, "networks", "none in use", "–"))
	}
	rows = append(rows, say("", "networks' manifest", "in use", short(hex.EncodeToString(a.manifest[:]))))
	a.networks.once.Do(func() { a.networks.rows = a.networkRows() })
	return append(rows, a.networks.rows...)
}

// networks are the networks' rows: a daemon keeps those that it began with.
type networks struct {
	once sync.Once
	rows []row
}

func (a *App) networkRows() (rows []row) {
	m, err := a.models()
	if err != nil {
		return []row{say(technician.Warn, "networks", err.Error(), "–")}
	}
	for _, use := range []string{configs.UseDetect, configs.UseLandmark, configs.UseFeature, configs.UseLiveness} {
		if f, ok := m.ByUse(use); ok {
			rows = append(rows, say("", "network "+use, f.Name, short(f.SHA256)))
		}
	}
	return rows
}

// models reads the manifest once more, if it still is the one in use.
func (a *App) models() (*configs.Models, error) {
	now, err := hashManifest(a.cfg.Models.Manifest)
	if err != nil {
		return nil, err
	}
	if now != a.manifest {
		return nil, fmt.Errorf("the manifest on the disk is not the one in use: start gated again")
	}
	return configs.LoadModels(a.cfg.Models.Manifest)
}

// short is the beginning of a hash, enough to compare by eye.
func short(hash string) string {
	if len(hash) != sha256.Size*2 {
		return hash
	}
	return hash[:16] + "…"
}

func orNone(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
