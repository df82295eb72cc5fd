package agent

import (
	"log/slog"

	"orrery/cmd/internal/config"
)

// reload puts into force what can change while the agent runs, and names what cannot. What
// is wrong stays as it was.
func (m *member) reload(cfg config.Config) {
	applied, needRestart := config.Changes(m.cfg, cfg)
	for _, step := range []struct {
		what string
		do   func(config.Config) error
	}{
		{"log-level", m.reloadLevel}, {"tags", m.reloadTags}, {"certificates of members", m.reloadTrust},
		{"certificate of the API", m.web.loadCertificate}, {"api-token", m.reloadTokens}, {"webhooks", m.reloadHooks},
	} {
		if err := step.do(cfg); err != nil {
			m.log.Error("not reloaded", "what", step.what, "error", err)
		}
	}
	m.log.Info("configuration reloaded", "changed", applied, "need_restart", needRestart)
}

func (m *member) reloadLevel(cfg config.Config) error {
	if m.opts.Level == nil {
		return nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return err
	}
	m.opts.Level.Set(level)
	return nil
}

func (m *member) reloadTags(cfg config.Config) error {
	if err := m.gossip.CheckTags(cfg.Tags); err != nil {
		return err
	}
	m.cfg.Tags = cfg.Tags
	m.gossip.SetTags(cfg.Tags)
	return nil
}

func (m *member) reloadTrust(config.Config) error { return m.trust.Reload() }

func (m *member) reloadTokens(cfg config.Config) error {
	tokens, err := tokensOf(cfg)
	if err == nil {
		m.api.SetTokens(tokens)
	}
	return err
}

func (m *member) reloadHooks(cfg config.Config) error {
	hooks, err := hooksOf(&cfg)
	if err == nil && m.notifier != nil {
		m.notifier.Reload(hooks)
	}
	return err
}
