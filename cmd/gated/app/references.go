package app

import (
	"errors"
	"log/slog"

	"bordergate/barcode/pass"
	"bordergate/biometrics"
	"bordergate/gate"
)

// references opens the face references in passes, of this gate's recogniser
// only. What cannot be used is as if the pass had none; the log says why, and
// never whose.
type references struct {
	keys  pass.TemplateKeys
	model string
	log   *slog.Logger
}

var errOtherModel = errors.New("template is of another model than this gate's recogniser")

// Fits implements gate.References.
func (r references) Fits(model string) bool { return model == r.model }

// Open implements gate.References.
func (r references) Open(p gate.Pass) []byte {
	plain, err := r.open(p)
	if err != nil {
		r.log.Warn("Template of a pass is not used", "error", err, "keys", r.keys.Len())
		return nil
	}
	return plain
}

func (r references) open(p gate.Pass) ([]byte, error) {
	if !r.Fits(p.Model) {
		return nil, errOtherModel
	}
	plain, err := r.keys.Open(pass.Pass{Number: p.Number, Model: p.Model, SealedTemplate: p.Template})
	if err != nil {
		return nil, err
	}
	if _, err := biometrics.ParseReference(plain); err != nil {
		clear(plain)
		return nil, err
	}
	return plain, nil
}

// openTemplateKeys loads the keys that open templates in passes. A gate that
// is not given any opens none.
func (a *App) openTemplateKeys() error {
	file := a.cfg.Trust.TemplateKeys
	if file == "" {
		return nil
	}
	var err error
	if a.templates, err = pass.LoadTemplateKeys(file); err != nil {
		return err
	}
	first, _ := a.templates.First()
	a.log.Info("Templates in passes can be opened", "keys", a.templates.Len(), "newest", first.ID())
	return nil
}
