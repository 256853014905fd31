using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.RecurrentHeads;

/// <summary>A case of published naive functions for heads with a matrix as state: inputs, outputs, states and gradients in float64, as the call has them.</summary>
internal sealed class PublishedHeads : IDisposable
{
    /// <summary>Names of the files begin so; others of the folder are of other functions.</summary>
    private static readonly string[] s_families =
        ["delta-rule", "gated-delta-rule", "gated-linear-attention", "kimi-delta", "linear-attention-plain", "retention", "simple-gla"];

    private readonly List<IDisposable> _owned = [];
    private readonly SafeTensorsFile _file;
    private readonly Backend _backend;
    private readonly DType _type;
    private readonly bool _isHeadFirst;

    public PublishedHeads(string path, Backend backend, DType type)
    {
        _file = SafeTensorsFile.Open(path);
        _owned.Add(_file);
        _backend = backend;
        _type = type;
        _isHeadFirst = _file.Metadata["layout"].StartsWith("B,H,T,D", StringComparison.Ordinal);
        int width = Shape("q")[^1];
        string decay = (_file.Find("gk") is not null) ? "gk" : "g";
        Args = new RecurrentHeadsArgs
        {
            Q = Read("q"),
            K = Read("k"),
            V = Read("v"),
            Decay = (_file.Find(decay) is not null) ? Read(decay) : path.Contains("retention", StringComparison.Ordinal) ? Retention(Shape("v")[2]) : default,
            Beta = (_file.Find("beta") is not null) ? Read("beta") : default,
            Initial = (_file.Find("h0") is not null) ? State("h0") : default,
            Scale = _file.Metadata["scale"] == "1" ? 1 : 1 / Math.Sqrt(width),
        };
        DecayName = decay;
    }

    /// <summary>Paths of the files, none where the folder is not there.</summary>
    public static IEnumerable<string> Files => SharedData.Find("peers/mixer-functions") is { } folder
        ? Directory.GetFiles(folder, "*.safetensors").Where(path => s_families.Any(family => Path.GetFileName(path).StartsWith(family, StringComparison.Ordinal))).Order(StringComparer.Ordinal)
        : [];

    /// <summary>Their names.</summary>
    public static IEnumerable<string> Names => Files.Select(path => Path.GetFileNameWithoutExtension(path));

    public RecurrentHeadsArgs Args { get; }

    public string DecayName { get; }

    public bool Contains(string name) => _file.Find(name) is not null;

    /// <summary>A tensor of places and heads, time before heads.</summary>
    public View Read(string name) => New(Shape(name), Values(name));

    /// <summary>A state [B, H, DK, DV].</summary>
    public View State(string name) => New([.. Array.ConvertAll(_file[name].Shape.ToArray(), n => (int)n)], Flat(name));

    public View New(View like) => New(like.Layout.ToShape(), new double[like.Count]);

    /// <summary>The difference of what was computed to the file's, of the largest magnitude.</summary>
    public double Error(in View actual, string name, bool isState = false)
        => Numbers.RelativeError(Host.Read(_backend, actual), isState ? Flat(name) : Values(name));

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private View Retention(int heads) => New([heads], [.. Enumerable.Range(0, heads).Select(h => Math.Log(1 - Math.Pow(2, -5 - h)))]);

    private int[] Shape(string name)
    {
        int[] shape = Array.ConvertAll(_file[name].Shape.ToArray(), n => (int)n);
        if (_isHeadFirst)
        {
            (shape[1], shape[2]) = (shape[2], shape[1]);
        }

        return shape;
    }

    private double[] Values(string name)
    {
        double[] values = Flat(name);
        if (!_isHeadFirst)
        {
            return values;
        }

        int[] shape = Shape(name);
        (int batch, int time, int heads, int width) = (shape[0], shape[1], shape[2], shape.Length > 3 ? shape[3] : 1);
        var swapped = new double[values.Length];
        for (int i = 0; i < values.Length / width; i++)
        {
            (int b, int h, int t) = (i / (heads * time), i / time % heads, i % time);
            values.AsSpan(i * width, width).CopyTo(swapped.AsSpan(((((b * time) + t) * heads) + h) * width));
        }

        return batch * time * heads * width == values.Length ? swapped : throw new InvalidOperationException(name);
    }

    private double[] Flat(string name)
    {
        var values = new double[_file[name].Count];
        _file.Read(name, values);
        return values;
    }

    private View New(int[] shape, double[] values) => Host.New(_backend, _type, shape, values, _owned);
}
