using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>
/// All parameters of a model: values in one contiguous buffer and gradients in another, ordered by role so that an optimiser's
/// pass is one range. Gradients always accumulate; a step begins by zeroing them.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    /// <summary>Every parameter starts at a multiple of this many elements.</summary>
    private const int AlignmentElements = 64;

    private readonly List<Parameter> _parameters = [];
    private readonly Dictionary<string, Parameter> _byName = new(StringComparer.Ordinal);
    private readonly (long Start, long End)[] _ranges = new (long, long)[Enum.GetValues<ParameterRole>().Length];
    private DeviceBuffer? _values;
    private DeviceBuffer? _gradients;

    public ParameterStore(Backend backend, DType type = DType.Float32)
    {
        Backend = backend;
        Type = type;
    }

    public Backend Backend { get; }

    public DType Type { get; }

    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>Number of trained scalars, padding not counted.</summary>
    public long Count => _parameters.Sum(p => p.Layout.Count);

    /// <summary>Elements of each buffer, padding included.</summary>
    public long Elements { get; private set; }

    public bool IsAllocated => _values is not null;

    public Parameter this[string name] => _byName.TryGetValue(name, out Parameter? parameter)
        ? parameter
        : throw new KeyNotFoundException($"parameter store: no parameter '{name}'");

    /// <summary>Declares a parameter; all are declared before <see cref="Allocate"/>.</summary>
    public Parameter Add(string name, Layout layout, ParameterRole role, Initializer initializer, bool frozen = false)
    {
        if (IsAllocated)
        {
            throw new InvalidOperationException($"parameter store: '{name}' added after the store was allocated");
        }

        var parameter = new Parameter(name, layout, role, initializer, frozen);
        if (!_byName.TryAdd(name, parameter))
        {
            throw new ArgumentException($"parameter store: '{name}' is there already");
        }

        _parameters.Add(parameter);
        return parameter;
    }

    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Lays the parameters out and initialises them; each from its own random stream, so that names, not order, decide.</summary>
    public void Allocate(ulong seed)
    {
        long offset = 0;
        // Trained ones first, by role; frozen ones behind, beyond the gradient buffer.
        foreach (ParameterRole role in Enum.GetValues<ParameterRole>())
        {
            long start = offset;
            foreach (Parameter parameter in _parameters.Where(p => !p.Frozen && p.Role == role))
            {
                Place(parameter, ref offset);
            }

            _ranges[(int)role] = (start, offset);
        }

        long trained = offset;
        foreach (Parameter parameter in _parameters.Where(p => p.Frozen))
        {
            Place(parameter, ref offset);
        }

        Elements = offset;
        _values = Backend.Allocate(offset * Type.Size());
        _gradients = Backend.Allocate(trained * Type.Size());
        TrainedElements = trained;
        foreach (Parameter parameter in _parameters.Where(_ => Backend.HoldsValues))
        {
            ParameterInit.Fill(this, parameter, seed);
        }
    }

    /// <summary>Elements of the gradient buffer.</summary>
    public long TrainedElements { get; private set; }

    public View Values(Parameter parameter) => new(Buffer(_values), parameter.Offset, parameter.Layout, Type);

    public View Gradients(Parameter parameter) => parameter.Frozen
        ? throw new InvalidOperationException($"parameter '{parameter.Name}' is frozen and has no gradient")
        : new(Buffer(_gradients), parameter.Offset, parameter.Layout, Type);

    /// <summary>All gradients as one vector.</summary>
    public View AllGradients => new(Buffer(_gradients), 0, Layout.Of(checked((int)TrainedElements)), Type);

    /// <summary>First and last element (exclusive) of the trained parameters of a role.</summary>
    public (long Start, long End) Range(ParameterRole role) => _ranges[(int)role];

    /// <summary>Values and gradients of a range of elements, as vectors.</summary>
    public (View Values, View Gradients) Slice(long start, long end)
    {
        Layout layout = Layout.Of(checked((int)(end - start)));
        return (new(Buffer(_values), start, layout, Type), new(Buffer(_gradients), start, layout, Type));
    }

    public void Dispose()
    {
        _values?.Dispose();
        _gradients?.Dispose();
        _values = _gradients = null;
    }

    private static void Place(Parameter parameter, ref long offset)
    {
        parameter.Offset = offset;
        offset += (parameter.Layout.Count + AlignmentElements - 1) / AlignmentElements * AlignmentElements;
    }

    private static DeviceBuffer Buffer(DeviceBuffer? buffer) =>
        buffer ?? throw new InvalidOperationException("parameter store: used before it was allocated");
}
