using System.IO.Compression;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// What .NET does not know of Unicode, or knows in a later version than tokenizers do: ages, decompositions and combining classes as of
/// Unicode 9, scripts. Read once from <c>unicode.bin</c>, which <c>make-unicode.py</c> writes from the Unicode Character Database.
/// </summary>
internal sealed class UnicodeData
{
    private static readonly Lazy<UnicodeData> s_data = new(() => new UnicodeData());
    private readonly byte[] _file;
    private int _at;

    private UnicodeData()
    {
        using Stream stream = typeof(UnicodeData).Assembly.GetManifestResourceStream("unicode.bin") ?? throw new InvalidOperationException("unicode.bin is missing in the assembly");
        using var packed = new DeflateStream(stream, CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        packed.CopyTo(bytes);
        _file = bytes.ToArray();
        UpTo8 = ReadSet();
        UpTo9 = ReadSet();
        ReadRanges(Number, (first, last, value) => FillRange(CombiningClasses, first, last, (byte)value));
        ReadDecompositions();
        CodePointSet excluded = ReadSet();
        foreach ((int point, (bool compatible, int[] parts)) in Decompositions)
        {
            if (!compatible && parts.Length == 2 && !excluded.Contains(point))
            {
                Compositions[((long)parts[0] << 32) | (uint)parts[1]] = point;
            }
        }

        string[] names = [.. Enumerable.Range(0, Number()).Select(_ => Name())];
        var scripts = names.ToDictionary(name => name, _ => new List<(int, int)>());
        ReadRanges(Number, (first, last, value) => scripts[names[value]].Add((first, last)));
        Scripts = scripts.ToDictionary(script => script.Key, script => CodePointSet.Of(script.Value), StringComparer.OrdinalIgnoreCase);
    }

    public static UnicodeData Shared => s_data.Value;

    /// <summary>What had been assigned in Unicode 8.</summary>
    public CodePointSet UpTo8 { get; }

    /// <summary>What had been assigned in Unicode 9.</summary>
    public CodePointSet UpTo9 { get; }

    /// <summary>Canonical combining classes; 0 where there is none.</summary>
    public Dictionary<int, byte> CombiningClasses { get; } = [];

    /// <summary>One step of decomposition, and whether it is one of compatibility. Hangul syllables are not in it.</summary>
    public Dictionary<int, (bool Compatible, int[] Parts)> Decompositions { get; } = [];

    /// <summary>Of two code points, the first in the upper half, the one that they compose to.</summary>
    public Dictionary<long, int> Compositions { get; } = [];

    /// <summary>Scripts by name, such as <c>Han</c>.</summary>
    public IReadOnlyDictionary<string, CodePointSet> Scripts { get; }

    private static void FillRange(Dictionary<int, byte> classes, int first, int last, byte value)
    {
        for (int point = first; point <= last; point++)
        {
            classes[point] = value;
        }
    }

    private void ReadDecompositions()
    {
        int point = 0;
        for (int left = Number(); left > 0; left--)
        {
            point += Number();
            int kind = Number();
            int[] parts = new int[kind >> 1];
            for (int i = 0; i < parts.Length; i++)
            {
                parts[i] = Number();
            }

            Decompositions[point] = ((kind & 1) != 0, parts);
        }
    }

    private CodePointSet ReadSet()
    {
        var ranges = new List<(int, int)>();
        ReadRanges(() => 0, (first, last, _) => ranges.Add((first, last)));
        return CodePointSet.Of(ranges);
    }

    private void ReadRanges(Func<int> value, Action<int, int, int> take)
    {
        int before = 0;
        for (int left = Number(); left > 0; left--)
        {
            int first = before + Number();
            before = first + Number();
            take(first, before, value());
        }
    }

    private string Name()
    {
        int length = Number();
        string name = Encoding.ASCII.GetString(_file, _at, length);
        _at += length;
        return name;
    }

    private int Number()
    {
        int value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = _file[_at++];
            value |= (part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }
}
