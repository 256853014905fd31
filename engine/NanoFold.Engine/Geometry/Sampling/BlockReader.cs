using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>Reads the sampled tokens of the points that are wanted, block by block, into memory that all blocks share.</summary>
internal sealed class BlockReader : IDisposable
{
    private const string Pattern = "hook_pattern", Streams = "hook_streams_", Mixing = "_residual.hook_res";

    private readonly ProbeShape _shape;
    private readonly ProbeRows _rows;
    private readonly Dictionary<Want, PointCloud> _clouds = [];
    private readonly Dictionary<Want, PatternSample> _patterns = [];
    private readonly TapRows _nothing;
    private readonly BlockSample _block = new();
    private readonly HashSet<Want> _read = [];

    public BlockReader(Backend backend, ProbeShape shape, IReadOnlyList<Want> wants, int mostNeighbors, int layers, ulong seed)
    {
        _shape = shape;
        _rows = new ProbeRows(backend, shape, wants.Select(want => want.Kind), seed);
        _nothing = new TapRows(backend, 1);
        foreach (Want want in wants)
        {
            if (want.Kind is SampleKind.Queries or SampleKind.Windows && want.Point.EndsWith(Pattern, StringComparison.Ordinal))
            {
                _patterns.Add(want, new PatternSample(_rows[want.Kind]));
            }
            else if (want.Kind != SampleKind.Whole)
            {
                _clouds.Add(want, new PointCloud(_rows[want.Kind], shape.Neighbors, mostNeighbors, backend));
            }
        }

        Taps =
        [
            .. Enumerable.Range(0, layers).SelectMany(layer => wants
                .Select(ITapReader (want) => new WantReader(this, layer, want))
                .Append(new BlockEnd(this, layer))),
        ];
    }

    /// <summary>The model's parameters, for measures that look at those of a block beside its values.</summary>
    public ParameterStore Store
    {
        init => _block.Store = value;
    }

    /// <summary>What is to be done with a block that is read.</summary>
    public Action<BlockSample>? Ready { get; set; }

    /// <summary>What is done to a cloud before it is measured; null for nothing.</summary>
    public Action<PointCloud>? Replace { get; set; }

    /// <summary>The tokens of most clouds.</summary>
    public SampledRows Points => _rows[SampleKind.Points];

    /// <summary>The readers to record, those of a block's end after its others.</summary>
    public IReadOnlyList<ITapReader> Taps { get; }

    /// <summary>Bytes of the device.</summary>
    public long DeviceBytes => _rows.DeviceBytes + _nothing.Bytes;

    /// <summary>Bytes of the host that reading the blocks of a tape takes.</summary>
    /// <exception cref="UserException">A point has more values than an array holds.</exception>
    public long BytesFor(Tape tape)
    {
        var elements = new Dictionary<Want, long>();
        foreach ((ITapReader reader, Layout layout) in Tap.ReadsOf(tape))
        {
            if (reader is WantReader { Want: var want })
            {
                if (layout.Count > Array.MaxLength)
                {
                    throw UserException.Usage(
                        $"geometry.probeTokens: {want.Point} of {layout} is more than the {Array.MaxLength} values that can be measured; a smaller one, other geometry.measures or geometry.enabled=false takes less");
                }

                // Streams are copied apart.
                long copies = want.Point.StartsWith(Streams, StringComparison.Ordinal) ? 2 : 1;
                elements[want] = Math.Max(elements.GetValueOrDefault(want), copies * layout.Count);
            }
        }

        return elements.Values.Sum() * sizeof(float) + _rows.Bytes;
    }

    /// <summary>Takes over what the tokens [B, T] are, and what they see of each other, with prefixes [B] where there are some.</summary>
    public void Read(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, IReadOnlyList<LabelColumn> labels, VisibilityKind visibility, ReadOnlySpan<int> prefixes)
    {
        foreach (PatternSample pattern in _patterns.Values)
        {
            pattern.Show(visibility, _shape.Time, prefixes);
        }

        _rows.Read(tokens, documents, labels);
    }

    /// <summary>What the next pass reads; the rest is passed over.</summary>
    public void Reads(IEnumerable<Want> wants)
    {
        _read.Clear();
        _read.UnionWith(wants);
        _block.Begin(0);
        _block.Mixing.Begin();
    }

    public void Dispose()
    {
        _nothing.Dispose();
        _rows.Dispose();
    }

    private void Read(Want want, int layer, TapValue value)
    {
        if (!_read.Contains(want))
        {
            return;
        }

        if (want.Kind == SampleKind.Whole)
        {
            _block.Add(want.Point, value.ToArray(), value.Layout.ToShape());
        }
        else if (_clouds.TryGetValue(want, out PointCloud? cloud))
        {
            // Streams [R, n, C] are measured one by one.
            int parts = want.Point.StartsWith(Streams, StringComparison.Ordinal) ? value.Layout[1] : 1;
            value.CopyTo(cloud.Begin(value.Name, layer, value.Count / cloud.Count, parts));
            cloud.Shape = value.Layout.ToShape()[1..];
            Replace?.Invoke(cloud);
            _block.Add(want, cloud);
            if (want.Point.EndsWith(Mixing, StringComparison.Ordinal))
            {
                _block.Mixing.Then(cloud.Values, cloud.Count);
            }
        }
        else
        {
            PatternSample pattern = _patterns[want];
            value.CopyTo(pattern.Begin(value.Layout[1], value.Layout[2]));
            _block.Add(want, pattern);
        }
    }

    private void End(int layer)
    {
        Ready?.Invoke(_block);
        _block.Begin(layer + 1);
    }

    private sealed class WantReader(BlockReader reader, int layer, Want want) : ITapReader
    {
        public Want Want => want;

        public string Pattern => $"blocks.{layer}.{want.Point}";

        // What blocks do not have is not measured.
        public bool IsOptional => true;

        public TapRows? Rows => want.Kind == SampleKind.Whole ? null : reader._rows.Taps(want.Kind);

        public void Read(TapValue value) => reader.Read(want, layer, value);
    }

    // The last point of a block comes after all others.
    private sealed class BlockEnd(BlockReader reader, int layer) : ITapReader
    {
        public string Pattern => $"blocks.{layer}.hook_resid_post";

        public TapRows? Rows => reader._nothing;

        public void Read(TapValue value) => reader.End(layer);
    }
}
