package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bordergate/barcode/pass"
	"bordergate/configs"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Limits below which a disk is called nearly full.
const (
	leastFree  = 512 << 20 // bytes
	leastShare = 20        // one part in so many
)

func (o Options) disk(context.Context) finding {
	dir := nearest(o.Config.Paths.State)
	free, size, err := o.Disk(dir)
	if err != nil {
		return ill(fmt.Errorf("look at the disk of %s: %w", dir, err), "check paths.state")
	}
	text := fmt.Sprintf("%d MiB free of %d MiB below %s", free>>20, size>>20, dir)
	if free < leastFree || free < size/leastShare {
		return ill(errors.New(text), "remove what is not the gate's from that file system, never anything below paths.state; a full disk closes the gate")
	}
	return well("%s", text)
}

// nearest is the folder, or the one around it that exists.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func (o Options) state(context.Context) finding {
	dir := o.Config.Paths.State
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return well("%s is not there yet; the first start makes it", dir)
	case err != nil:
		return ill(err, "give the user of gated the folder paths.state")
	case !info.IsDir():
		return ill(fmt.Errorf("%s is no folder", dir), "correct paths.state")
	case info.Mode().Perm()&0o007 != 0:
		return ill(fmt.Errorf("%s is open to everybody (%#o)", dir, info.Mode().Perm()), "chmod 700 "+dir)
	}
	return well("%s, rights %#o", dir, info.Mode().Perm())
}

func (o Options) identity(context.Context) finding {
	dir := o.Config.Paths.Identity
	id, err := vault.LoadIdentity(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ill(err, "gatectl identity init --dir "+dir+" --gate "+o.Config.Gate.ID)
	case errors.Is(err, vault.ErrPermissions):
		return ill(err, "chmod -R go= "+dir)
	case err != nil:
		return ill(err, "restore the folder from where it was kept, or make a new one with gatectl identity init and register it at headquarters")
	case id.Gate != o.Config.Gate.ID:
		return ill(fmt.Errorf("the keys are of gate %s, gate.id says %s", id.Gate, o.Config.Gate.ID), "correct gate.id or paths.identity")
	}
	return well("gate %s, key %s", id.Gate, id.Signer.Kid)
}

// renewTime is how long before its end a certificate is called for renewal.
const renewTime = 14 * 24 * time.Hour

func (o Options) certificate(context.Context) finding {
	if !strings.HasPrefix(o.Config.HQ.Broker, "ssl://") {
		return well("none needed: the broker is on this machine")
	}
	c, err := vault.Certificate(o.Config.Paths.Identity)
	if err != nil {
		return ill(err, "have headquarters run hqd gate add with this gate's request.json, then gatectl identity install")
	}
	const renew = "gatectl identity renew, have headquarters run hqd gate renew, then gatectl identity install"
	now, until := o.Now(), c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.Before(c.NotBefore):
		return ill(fmt.Errorf("it holds only from %s on", c.NotBefore.UTC().Format(time.RFC3339)), "set this machine's clock; see the line of the clock")
	case now.After(c.NotAfter):
		return ill(fmt.Errorf("it ended on %s", until), renew)
	case now.Add(renewTime).After(c.NotAfter):
		return ill(fmt.Errorf("it ends on %s", until), renew)
	}
	return well("until %s", until)
}

func (o Options) readBundle() (wire.Bundle, error) {
	b, err := os.ReadFile(o.Config.HQ.Bundle)
	if err != nil {
		return wire.Bundle{}, err
	}
	return wire.ParseBundle(b, o.Config.HQ.Fingerprint)
}

func (o Options) bundle(context.Context) finding {
	b, err := o.readBundle()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ill(err, "get hq.json from headquarters and put it at hq.bundle")
	case err != nil:
		return ill(err, "compare hq.fingerprint with headquarters by eye; get its newest hq.json")
	}
	return well("version %d, %d keys", b.Ver, len(b.Keys))
}

func (o Options) trust(ctx context.Context) finding {
	text, err := o.Trust(ctx)
	if err != nil {
		return ill(err, "gatectl seal trust list --config FILE tells more; until headquarters has sent its store, put signers' certificates into trust.dir")
	}
	return well("%s", text)
}

func (o Options) templateKeys(context.Context) finding {
	if _, err := pass.LoadTemplateKeys(o.Config.Trust.TemplateKeys); err != nil {
		return ill(err, "get the file from the issuing office and chmod 600 it, or remove trust.template_keys where passes carry none")
	}
	return well("they can be read")
}

func (o Options) models(context.Context) finding {
	m, err := configs.LoadModels(o.Config.Models.Manifest)
	if err != nil {
		return ill(err, "correct models.manifest; gatectl config check tells every fault of it")
	}
	if err := m.Check(o.Config.Models.Dir); err != nil {
		return ill(err, "gatectl models fetch --replace, or put the station's own models in place")
	}
	return well("all that the gate works with have the hashes of %s", o.Config.Models.Manifest)
}

// journalTime bounds the reading of the whole journal.
const journalTime = 3 * time.Second

const journalHint = "keep a copy of journal.db for headquarters; gatectl journal verify tells where; check the disk (smartctl)"

func (o Options) journal(ctx context.Context) finding {
	path := filepath.Join(o.Config.Paths.State, "journal.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return well("there is none yet; the first start makes it")
	}
	if o.Gated != nil {
		return well("gated has it open and checked it at its start")
	}
	var keys []wire.PublicKey
	if id, err := vault.LoadIdentity(o.Config.Paths.Identity); err == nil {
		keys = append(keys, id.Signer.Public())
	}
	r, err := journal.OpenReadOnly(path, keys...)
	if err != nil {
		return ill(err, journalHint)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	report, err := r.Check(ctx)
	switch {
	case ctx.Err() != nil:
		return well("sound as far as it was read in %v; gatectl journal verify reads it to its end", journalTime)
	case err != nil:
		return ill(err, journalHint)
	case !report.OK:
		return ill(errors.New("its records or their chain are not what they were"), journalHint)
	}
	n := uint64(0)
	for _, rg := range r.Ranges() {
		n += rg.Next - rg.First
	}
	return well("%d records, chain and signature sound", n)
}
