namespace NanoFold.Engine.Text;

/// <summary>A regular expression as a tree. Every condition looks at one neighboring character at most, so that a finite automaton can decide it.</summary>
internal abstract record PatternNode;

/// <summary>One character of a set.</summary>
internal sealed record SetNode(CodePointSet Set) : PatternNode;

/// <summary>One after the other; nothing where there are none.</summary>
internal sealed record SequenceNode(IReadOnlyList<PatternNode> Parts) : PatternNode;

/// <summary>The first that fits.</summary>
internal sealed record ChoiceNode(IReadOnlyList<PatternNode> Options) : PatternNode;

/// <summary>From <paramref name="Least"/> to <paramref name="Most"/> times (−1: without limit), as often as possible where it is greedy.</summary>
internal sealed record RepeatNode(PatternNode Part, int Least, int Most, bool Greedy) : PatternNode;

/// <summary>The next character is of the set; at the end of the text it is <paramref name="AtEnd"/>.</summary>
internal sealed record AheadNode(CodePointSet Set, bool AtEnd) : PatternNode;

/// <summary>The character before is of the set; at the start of the text it is <paramref name="AtStart"/>.</summary>
internal sealed record BehindNode(CodePointSet Set, bool AtStart) : PatternNode;

/// <summary>Whose rules an expression follows where they differ.</summary>
internal enum PatternDialect
{
    /// <summary>Hugging Face's: <c>$</c> ends any line, <c>{1,3}+</c> repeats a repetition.</summary>
    Oniguruma,

    /// <summary>tiktoken's: <c>$</c> is the end of the text, <c>{1,3}+</c> gives nothing back.</summary>
    Rust,
}
