using NanoFold.Engine.Autograd;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>The tokens of the probe that are looked at, of each kind that is wanted, with their numbers on the device.</summary>
internal sealed class ProbeRows : IDisposable
{
    private readonly Dictionary<SampleKind, (SampledRows Rows, TapRows Taps)> _kinds = [];

    /// <param name="backend">Where the model is.</param>
    /// <param name="shape">How many there are.</param>
    /// <param name="wanted">Kinds besides <see cref="SampleKind.Points"/>.</param>
    /// <param name="seed">Draws them.</param>
    public ProbeRows(Backend backend, ProbeShape shape, IEnumerable<SampleKind> wanted, ulong seed)
    {
        foreach (SampleKind kind in wanted.Prepend(SampleKind.Points).Distinct().Where(kind => kind != SampleKind.Whole))
        {
            // A plan needs their number only.
            SampledRows rows = backend.HoldsValues ? Draw(kind, shape, seed) : SampledRows.Planned(Count(kind, shape));
            var taps = new TapRows(backend, rows.Count);
            if (backend.HoldsValues)
            {
                taps.Set(rows.Rows);
            }

            _kinds.Add(kind, (rows, taps));
        }
    }

    /// <summary>Bytes of the device.</summary>
    public long DeviceBytes => _kinds.Values.Sum(of => of.Taps.Bytes);

    /// <summary>Bytes of the host.</summary>
    public long Bytes => _kinds.Values.Sum(of => of.Rows.Bytes);

    /// <summary>The tokens of a kind.</summary>
    public SampledRows this[SampleKind kind] => _kinds[kind].Rows;

    /// <summary>Their numbers on the device.</summary>
    public TapRows Taps(SampleKind kind) => _kinds[kind].Taps;

    /// <summary>Takes over what the tokens [B, T] are.</summary>
    public void Read(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, IReadOnlyList<LabelColumn> labels)
    {
        foreach ((SampledRows rows, _) in _kinds.Values)
        {
            rows.Read(tokens, documents, labels);
        }
    }

    public void Dispose()
    {
        foreach ((_, TapRows taps) in _kinds.Values)
        {
            taps.Dispose();
        }
    }

    private static int Count(SampleKind kind, ProbeShape shape) => kind switch
    {
        SampleKind.Queries => shape.Queries,
        SampleKind.Runs => shape.Runs * shape.RunLength,
        SampleKind.Windows => shape.Windows * shape.WindowLength,
        _ => shape.Points,
    };

    private static SampledRows Draw(SampleKind kind, ProbeShape shape, ulong seed) => kind switch
    {
        SampleKind.Queries => SampledRows.Queries(shape, seed),
        SampleKind.Runs => SampledRows.Runs(shape, seed),
        SampleKind.Windows => SampledRows.Windows(shape),
        _ => SampledRows.Points(shape, seed),
    };
}
