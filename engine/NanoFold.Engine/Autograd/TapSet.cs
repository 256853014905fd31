using System.IO.Enumeration;

namespace NanoFold.Engine.Autograd;

/// <summary>Readers and editors of one recording. A point that none of them wants records nothing and costs nothing.</summary>
public sealed class TapSet
{
    private readonly ITapReader[] _readers;
    private readonly ITapEditor[] _editors;

    public TapSet(IEnumerable<ITapReader> readers, IEnumerable<ITapEditor>? editors = null)
    {
        _readers = [.. readers];
        _editors = [.. editors ?? []];
    }

    public bool Wants(string name) => Readers(name).Any() || Editors(name).Any();

    internal IEnumerable<ITapReader> Readers(string name) => _readers.Where(r => TapName.Matches(r.Pattern, name));

    internal IEnumerable<ITapEditor> Editors(string name) => _editors.Where(e => TapName.Matches(e.Pattern, name));
}

/// <summary>Matches names of points against patterns with <c>*</c> and <c>?</c>.</summary>
public static class TapName
{
    public static bool Matches(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);
}
