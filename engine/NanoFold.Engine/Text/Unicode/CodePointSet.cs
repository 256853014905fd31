using System.Globalization;

namespace NanoFold.Engine.Text;

/// <summary>A set of code points as sorted ranges, <see cref="CodePoints.Invalid"/> among them.</summary>
internal sealed class CodePointSet
{
    private static readonly Lazy<(int First, int Last, UnicodeCategory Category)[]> s_runs = new(BuildRuns);
    private readonly (int First, int Last)[] _ranges;

    private CodePointSet((int First, int Last)[] ranges) => _ranges = ranges;

    public static CodePointSet None { get; } = new([]);

    public static CodePointSet All { get; } = new([(0, CodePoints.Invalid)]);

    public IReadOnlyList<(int First, int Last)> Ranges => _ranges;

    public static CodePointSet Of(int point) => new([(point, point)]);

    public static CodePointSet Of(int first, int last) => new([(first, last)]);

    public static CodePointSet Of(ReadOnlySpan<char> text) => Of(CodePoints.Of(text.ToString()).Select(point => (point, point)));

    public static CodePointSet Of(IEnumerable<(int First, int Last)> ranges)
    {
        var joined = new List<(int First, int Last)>();
        foreach ((int first, int last) in ranges.Order())
        {
            if (joined.Count > 0 && first <= joined[^1].Last + 1)
            {
                joined[^1] = (joined[^1].First, Math.Max(joined[^1].Last, last));
            }
            else
            {
                joined.Add((first, last));
            }
        }

        return new CodePointSet([.. joined]);
    }

    /// <summary>All code points of some general categories (as of Unicode 16).</summary>
    public static CodePointSet OfCategories(Func<UnicodeCategory, bool> choice) =>
        Of(s_runs.Value.Where(run => choice(run.Category)).Select(run => (run.First, run.Last)));

    public CodePointSet Not()
    {
        var gaps = new List<(int, int)>();
        int next = 0;
        foreach ((int first, int last) in _ranges)
        {
            if (first > next)
            {
                gaps.Add((next, first - 1));
            }

            next = last + 1;
        }

        if (next <= CodePoints.Invalid)
        {
            gaps.Add((next, CodePoints.Invalid));
        }

        return new CodePointSet([.. gaps]);
    }

    public CodePointSet Or(CodePointSet other) => Of(_ranges.Concat(other._ranges));

    public CodePointSet And(CodePointSet other) => Not().Or(other.Not()).Not();

    public CodePointSet Without(CodePointSet other) => And(other.Not());

    public bool Contains(int point)
    {
        int low = 0, high = _ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (point < _ranges[middle].First)
            {
                high = middle - 1;
            }
            else if (point > _ranges[middle].Last)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    private static (int First, int Last, UnicodeCategory Category)[] BuildRuns()
    {
        var runs = new List<(int, int, UnicodeCategory)>();
        int first = 0;
        for (int point = 1; point <= CodePoints.Invalid; point++)
        {
            if (point == CodePoints.Invalid || CharUnicodeInfo.GetUnicodeCategory(point) != CharUnicodeInfo.GetUnicodeCategory(first))
            {
                runs.Add((first, point - 1, CharUnicodeInfo.GetUnicodeCategory(first)));
                first = point;
            }
        }

        return [.. runs];
    }
}
