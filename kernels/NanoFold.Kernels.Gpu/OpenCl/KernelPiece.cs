using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Statements of a kernel that run one after the other, and what comes after them: another piece, one of two, one after a barrier, or the end.</summary>
internal sealed partial class KernelPiece
{
    private readonly List<string> _labels = [];

    public List<string> Statements { get; } = [];

    /// <summary>The variable that decides for the first of two pieces; null where there is no choice.</summary>
    public string? Condition { get; set; }

    /// <summary>The piece after the barrier that this one ends with, or null.</summary>
    public int? AfterBarrier { get; set; }

    /// <summary>Pieces that may come next without a barrier: none, one, or two.</summary>
    public IReadOnlyList<int> Next { get; private set; } = [];

    /// <summary>All that may come next.</summary>
    public IEnumerable<int> Followers => AfterBarrier is { } after ? [after] : Next;

    public void GoTo(string label) => _labels.Add(label);

    public void Resolve(IReadOnlyDictionary<string, int> labels)
        => Next = [.. _labels.Select(l => labels.TryGetValue(l, out int piece) ? piece : throw new FormatException($"no label {l}"))];

    /// <summary>What a piece needs before it, given what is needed after it.</summary>
    public HashSet<string> NeededBefore(IEnumerable<string> after)
    {
        HashSet<string> needed = [.. after];
        if (Condition is not null)
        {
            needed.Add(Condition);
        }

        for (int i = Statements.Count - 1; i >= 0; i--)
        {
            (string? target, string[] read) = Effect(Statements[i]);
            if (target is not null)
            {
                needed.Remove(target);
            }

            needed.UnionWith(read);
        }

        return needed;
    }

    /// <summary>Variables that a piece sets, as often as it does.</summary>
    public IEnumerable<string> Set() => Statements.Select(s => Effect(s).Target).OfType<string>();

    /// <summary>The variable that a statement sets, of a struct that is built field by field too (its fields are set one after the other), and those that it reads.</summary>
    public static (string? Target, string[] Read) Effect(string statement)
    {
        Match match = Assignment().Match(statement);
        return match.Success
            ? (match.Groups["target"].Value, [.. KernelText.Names(match.Groups["value"].Value)])
            : (null, [.. KernelText.Names(statement)]);
    }

    [GeneratedRegex(@"^(?<target>var\d+)(\.field_\d+)*\s*=(?!=)(?<value>.*)$")]
    private static partial Regex Assignment();
}
