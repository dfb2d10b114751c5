package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// builder fills the second file.
type builder struct {
	r        *Replica
	in       *incoming
	db       *bbolt.DB
	accounts *parts
	passes   *parts
	standing *parts
	items    uint64
	stored   int    // keys in the three buckets together
	counts   Counts // of what a stored standing does not tell by itself
}

// build makes the second file of the pieces that are here, complete but for
// what belongs to the moment of the switch. The builder says what it stored.
func (r *Replica) build(ctx context.Context, in *incoming) (b *builder, err error) {
	b = &builder{r: r, in: in}
	for name, to := range map[string]**parts{"accounts": &b.accounts, "passes": &b.passes, "standing": &b.standing} {
		p, err := newParts(in.dir, name, in.m.Items)
		if err != nil {
			return nil, err
		}
		defer p.close() //nolint:errcheck // read by now, or of no use
		*to = p
	}
	// An item takes less than this on average, and the room is only address space.
	if b.db, err = r.makeNext(int64(in.m.Items) * 1024); err != nil {
		return nil, err
	}
	b.db.NoSync = true // a crash leaves a file that nobody opens
	err = b.sort(ctx)
	b.db.NoSync = false // each part is synced: all at once would hold up the journal's own
	r.opts.step("sorted")
	if err == nil {
		err = errors.Join(
			b.load(ctx, b.accounts, bucketAccounts), b.load(ctx, b.passes, bucketPasses), b.load(ctx, b.standing, bucketStanding))
	}
	if err == nil {
		err = b.db.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, discard(b.db))
	}
	r.opts.step("loaded")
	return b, nil
}

// sort puts every item into its part.
func (b *builder) sort(ctx context.Context) error {
	for n := len(b.in.m.Index); n < b.in.m.Pieces; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		raws, err := b.in.items(n)
		if err != nil {
			return fmt.Errorf("piece %d: %w", n, err)
		}
		var others []wire.Change
		for _, raw := range raws {
			var c wire.Change
			if err := json.Unmarshal(raw, &c); err != nil {
				return fmt.Errorf("piece %d: %w", n, wire.ErrPayload)
			}
			b.items++
			bulk, err := b.put(&c)
			if err != nil {
				return fmt.Errorf("piece %d: %w", n, err)
			}
			if !bulk {
				others = append(others, c)
			}
		}
		if err := b.apply(others); err != nil {
			return fmt.Errorf("piece %d: %w", n, err)
		}
	}
	if b.items != b.in.m.Items {
		return fmt.Errorf("%w: %d items, its manifest names %d", ErrSnapshot, b.items, b.in.m.Items)
	}
	return nil
}

// put takes a change that is one of many; false for any other. One that breaks
// a rule changes nothing, as in Apply.
func (b *builder) put(c *wire.Change) (bulk bool, err error) {
	crypt, it, to := b.r.crypt, part{order: b.items}, b.accounts
	var encode func() ([]byte, error)
	switch c.Op {
	case wire.OpPut, wire.OpStatus:
		if it.kind = partStatus; c.Op == wire.OpPut {
			it.kind = partPut
		}
		a := accountOf(c)
		it.key, encode = crypt.id(c.Account), a.encode
	case wire.OpRevoke, wire.OpStamp:
		p := passOf(c)
		it.kind, it.key, to = partPass, crypt.passKey(c.Pass), b.passes
		encode = func() ([]byte, error) { return p.encode(), nil }
	case wire.OpOrganisation, wire.OpWatch:
		if it.kind = partMark; c.OfOrganisation() {
			it.kind = partOrganisation
		}
		it.key, to, encode = crypt.standingKey(c), b.standing, standingOf(c).encode
	default:
		return false, nil
	}
	if c.Check() != nil {
		return true, nil
	}
	plain, err := encode()
	if err != nil {
		return true, err
	}
	it.value = crypt.sealValue(it.key, plain)
	return true, to.add(it)
}

// apply takes the few changes that are of neither, in their order.
func (b *builder) apply(changes []wire.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return b.db.Update(func(tx *bbolt.Tx) error {
		for i := range changes {
			if err := b.r.applyOne(tx, &changes[i], &Counts{}, map[accountKey]uint64{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// load writes the parts in order, one transaction for each.
func (b *builder) load(ctx context.Context, p *parts, bucket []byte) error {
	for n := range p.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := p.read(n)
		if err != nil {
			return fmt.Errorf("read sorted %s: %w", p.name, err)
		}
		err = b.db.Update(func(tx *bbolt.Tx) error {
			to := tx.Bucket(bucket)
			to.FillPercent = fill
			for len(list) > 0 {
				n := 1
				for n < len(list) && list[n].key == list[0].key {
					n++
				}
				value, err := b.value(list[:n])
				if err == nil {
					err = to.Put(list[0].key[:], value)
				}
				if err != nil {
					return err
				}
				b.stored++
				list = list[n:]
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("load %s: %w", p.name, err)
		}
	}
	return nil
}

// value is what is stored for the items of one key.
func (b *builder) value(items []part) ([]byte, error) {
	key, crypt := items[0].key, b.r.crypt
	switch kind := items[0].kind; {
	case kind == partOrganisation || kind == partMark:
		var s standing
		for _, it := range items {
			plain, err := crypt.openValue(key, it.value)
			if err != nil {
				return nil, err
			}
			in, err := decodeStanding(plain)
			if err != nil {
				return nil, err
			}
			s, _ = s.fold(in)
		}
		b.counts.stand(kind == partOrganisation, s, 1)
		plain, err := s.encode()
		if err != nil {
			return nil, err
		}
		return crypt.sealValue(key, plain), nil
	case len(items) == 1:
		return items[0].value, nil
	case kind == partPass:
		var p Pass
		for _, it := range items {
			plain, err := crypt.openValue(key, it.value)
			if err != nil {
				return nil, err
			}
			in, err := decodePass(plain)
			if err != nil {
				return nil, err
			}
			p, _ = p.fold(in)
		}
		return crypt.sealValue(key, p.encode()), nil
	}
	var a Account
	for _, it := range items {
		in, err := crypt.open(key, it.value)
		if err != nil {
			return nil, err
		}
		if it.kind == partPut && a.Status == wire.StatusSuspended && in.Status == wire.StatusActive {
			continue // only a decision restores, as in the log
		}
		a, _ = a.fold(it.kind == partPut, in)
	}
	return crypt.seal(key, &a)
}
