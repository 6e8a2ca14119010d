"""What became of the rows of the sources, for people and for the files beside a model."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["DatasetReport"]

_REASONS = {
    "few_letters": "with too few letters",
    "other_script": "in another script",
    "duplicate": "that others are equal to",
}


@dataclass(frozen=True)
class DatasetReport:
    """What became of the rows of the sources.

    Attributes:
        fingerprint: SHA-256 (hex) over the contents of all sources.
        sources: name and number of rows of each source.
        labels: the labels that are trained, in index order.
        found: rows of each configured label before choosing.
        kept: texts of each configured label that are trained on, a row that is repeated counted each time; 0 for a
            label that was dropped.
        dropped: configured labels with too few rows, or none that has a token.
        unknown: rows of labels that are not configured, by label; they are left out.
        empty: chosen rows without a token, which are left out.
        tokens: tokens of all texts together.
        cleaned: rows of configured labels that cleaning left out, by reason.
        held_out: rows of configured labels that were left out for each of the held-out sources.
        repeated: texts that are there because of rows taken more than once.
        foreign: for each label, texts that count less because they are words more frequent in another language; labels
            without any are left out.
        foreign_weight: for each of these labels, what these texts count together, where one that counts fully is 1.
    """

    fingerprint: str
    sources: list[tuple[str, int]]
    labels: list[str]
    found: dict[str, int]
    kept: dict[str, int]
    dropped: list[str]
    unknown: dict[str, int]
    empty: int
    tokens: int
    cleaned: dict[str, int] = field(default_factory=dict)
    held_out: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    foreign: dict[str, int] = field(default_factory=dict)
    foreign_weight: dict[str, float] = field(default_factory=dict)

    def format_table(self, minimum: int) -> str:
        """Counts a language before and after choosing, as text for a terminal, with what was left out below."""
        lines = [f"{'language':<12} {'found':>9} {'kept':>9}"]
        lines += [f"{label:<12} {self.found[label]:>9,} {self.kept[label]:>9,}" for label in self.found]
        lines.append(f"{'all':<12} {sum(self.found.values()):>9,} {sum(self.kept.values()):>9,}")
        if self.unknown:
            most = sorted(self.unknown.items(), key=lambda item: (-item[1], item[0]))
            shown = ", ".join(f"{label!r} {count:,}" for label, count in most[:8])
            more = f" and {len(most) - 8} more" if len(most) > 8 else ""
            rows = sum(self.unknown.values())
            lines.append(f"left out: {rows:,} rows of {len(most)} labels that are not configured: {shown}{more}")
        if self.held_out:
            counts = ", ".join(f"{name} {count:,}" for name, count in self.held_out.items())
            lines.append(f"left out: {sum(self.held_out.values()):,} rows that are held out: {counts}")
        reasons = [f"{count:,} {_REASONS[reason]}" for reason, count in self.cleaned.items() if reason in _REASONS]
        if reasons:
            lines.append(f"left out by cleaning: rows {', '.join(reasons)}")
        if self.empty:
            lines.append(f"left out: {self.empty:,} rows without a single token")
        if self.repeated:
            lines.append(f"repeated: {self.repeated:,} texts, to give languages their shares")
        if self.foreign:
            lost = {label: count - self.foreign_weight[label] for label, count in self.foreign.items()}
            first = sorted(lost, key=lambda label: (-lost[label], label))[:8]
            labels = ", ".join(f"{label} {lost[label]:,.0f}" for label in first)
            words = f"{sum(self.foreign.values()):,} words that are more frequent in another language"
            lines.append(f"counted less: {words}, by the weight of {sum(lost.values()):,.0f}: most in {labels}")
        if self.dropped:
            counts = ", ".join(f"{label} ({self.found[label]:,})" for label in self.dropped)
            lines.append(f"warning: dropped, fewer than {max(minimum, 1)} rows with a token: {counts}")
        return "\n".join(lines)
