using System.IO.Enumeration;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// Readers and editors of recordings. A point that none of them wants records nothing and costs nothing; a pattern that meets no point of a recording is
/// a mistake, which a <see cref="Plan"/> finds.
/// </summary>
public sealed class TapSet
{
    private readonly ITapReader[] _readers;
    private readonly ITapEditor[] _editors;
    private readonly TapIndex _wanted;
    private readonly TapIndex _edited;
    private readonly HashSet<string> _points = new(StringComparer.Ordinal);

    public TapSet(IEnumerable<ITapReader> readers, IEnumerable<ITapEditor>? editors = null)
    {
        _readers = [.. readers];
        _editors = [.. editors ?? []];
        _wanted = new TapIndex([.. _readers.Select(r => r.Pattern)]);
        _edited = new TapIndex([.. _editors.Select(e => e.Pattern)]);
    }

    public bool Wants(string name) => Readers(name).Any() || Editors(name).Any() || GradientReaders(name).Any();

    internal IEnumerable<ITapReader> Readers(string name)
    {
        _points.Add(name);
        return _wanted.Of(name).Select(i => _readers[i]);
    }

    /// <summary>Those that want the gradient at a point: their patterns end with <c>.grad</c>.</summary>
    internal IEnumerable<ITapReader> GradientReaders(string name)
    {
        _points.Add(name);
        return _wanted.HasGradients ? _wanted.Of(name + TapName.Gradient).Select(i => _readers[i]) : [];
    }

    internal IEnumerable<ITapEditor> Editors(string name)
    {
        _points.Add(name);
        return _edited.Of(name).Select(i => _editors[i]);
    }

    /// <summary>To be called when something was recorded.</summary>
    /// <exception cref="UserException">A pattern matched nothing, of all that was recorded with this set.</exception>
    internal void RequireMatches()
    {
        string? unmatched = _edited.Unmatched.Select(i => _editors[i].Pattern)
            .Concat(_wanted.Unmatched.Select(i => _readers[i]).Where(reader => !reader.IsOptional).Select(reader => reader.Pattern))
            .FirstOrDefault();
        if (unmatched is null)
        {
            return;
        }

        IReadOnlyCollection<string> points = TapName.IsGradient(unmatched) ? [.. _points.Select(point => point + TapName.Gradient)] : _points;
        throw new UserException($"tap '{unmatched}' matches no point of what was recorded{Instead(unmatched, points)}");
    }

    /// <summary>What is to be said of a pattern that matches none of some points: which may have been meant, or which there are.</summary>
    internal static string Instead(string pattern, IReadOnlyCollection<string> points) =>
        NearestName.Among(pattern, Candidates(pattern, points)) is { } name ? $"; did you mean '{name}'?"
        : points.Count == 0 ? ": nothing that was recorded has points"
        : $"; there are {string.Join(", ", points.Order(StringComparer.Ordinal).Take(3))}{(points.Count > 3 ? " and others" : "")}";

    // A pattern is put right by a pattern: blocks.3.attn.hook_q may stand for all layers.
    private static IEnumerable<string> Candidates(string pattern, IReadOnlyCollection<string> points) => pattern.Contains('*', StringComparison.Ordinal)
        ? points.Select(point => string.Join('.', point.Split('.').Select(part => part.All(char.IsAsciiDigit) ? "*" : part))).Distinct()
        : points;
}

/// <summary>Matches names of points against patterns with <c>*</c> and <c>?</c>.</summary>
public static class TapName
{
    /// <summary>What a pattern ends with that means the gradients at points in place of their values: <c>blocks.*.hook_resid_post.grad</c>.</summary>
    public const string Gradient = ".grad";

    /// <summary>Whether a pattern means gradients; one without that end never does, <c>*</c> included.</summary>
    public static bool IsGradient(string pattern) => pattern.EndsWith(Gradient, StringComparison.Ordinal);

    public static bool Matches(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);
}

/// <summary>Finds patterns by the names that they match. Those without wildcards are looked up: a probe has some for every layer, and every layer asks.</summary>
internal sealed class TapIndex
{
    private readonly string[] _patterns;
    private readonly bool[] _matched;
    private readonly ILookup<string, int> _whole;
    private readonly int[] _wild;

    public TapIndex(string[] patterns)
    {
        _patterns = patterns;
        _matched = new bool[patterns.Length];
        int[] all = [.. Enumerable.Range(0, patterns.Length)];
        _wild = [.. all.Where(i => patterns[i].AsSpan().ContainsAny('*', '?', '\\'))];
        _whole = all.Except(_wild).ToLookup(i => patterns[i], StringComparer.Ordinal);
        HasGradients = patterns.Any(TapName.IsGradient);
    }

    /// <summary>Whether any pattern means gradients.</summary>
    public bool HasGradients { get; }

    /// <summary>Indices of patterns that no name has matched so far.</summary>
    public IEnumerable<int> Unmatched => Enumerable.Range(0, _patterns.Length).Where(i => !_matched[i]);

    /// <summary>Indices of the patterns that a name matches, in order.</summary>
    public IReadOnlyList<int> Of(string name)
    {
        int[] found = [.. _whole[name].Concat(_wild.Where(i => TapName.IsGradient(_patterns[i]) == TapName.IsGradient(name) && TapName.Matches(_patterns[i], name))).Order()];
        foreach (int i in found)
        {
            _matched[i] = true;
        }

        return found;
    }
}
