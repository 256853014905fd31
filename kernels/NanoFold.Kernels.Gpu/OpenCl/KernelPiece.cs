namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Statements of a kernel that run one after the other, and what comes after them: another piece, one of two, one after a barrier, or the end.</summary>
internal sealed class KernelPiece
{
    private readonly List<string> _labels = [];
    private HashSet<string>? _sets, _reads;

    public List<KernelStatement> Statements { get; } = [];

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

    /// <summary>Variables that it sets.</summary>
    public IReadOnlySet<string> Sets => _sets ??= [.. Statements.Select(s => s.Target).OfType<string>()];

    /// <summary>Variables that it reads before it sets them.</summary>
    public IReadOnlySet<string> Reads => _reads ??= FirstRead();

    private HashSet<string> FirstRead()
    {
        HashSet<string> read = [.. Condition is null ? Array.Empty<string>() : [Condition]];
        for (int i = Statements.Count - 1; i >= 0; i--)
        {
            if (Statements[i].Target is { } target)
            {
                read.Remove(target);
            }

            read.UnionWith(Statements[i].Read);
        }

        return read;
    }
}
