using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>Where the tensors of a store lie: trained parameters first, by role, so that an optimizer's pass is one range; frozen ones after them; state by itself.</summary>
internal sealed class StoreLayout
{
    /// <summary>Every parameter starts at a multiple of this many elements.</summary>
    private const int AlignmentElements = 64;

    /// <summary>State starts at multiples of so many bytes.</summary>
    private const int StateAlignment = 256;

    private readonly ElementRange[] _ranges = new ElementRange[Enum.GetValues<ParameterRole>().Length];

    public StoreLayout(IReadOnlyList<StoredTensor> tensors)
    {
        Parameter[] parameters = [.. tensors.OfType<Parameter>().Where(parameter => parameter.Held is null)];
        foreach (ParameterRole role in Enum.GetValues<ParameterRole>())
        {
            long start = Elements;
            Place(parameters.Where(p => !p.Frozen && p.Role == role));
            _ranges[(int)role] = new(start, Elements);
        }

        TrainedElements = Elements;
        Place(parameters.Where(p => p.Frozen));
        foreach (StateTensor state in tensors.OfType<StateTensor>())
        {
            state.Offset = StateBytes / state.Type.Size();
            StateBytes = RoundUp(checked(StateBytes + (state.Layout.Count * state.Type.Size())), StateAlignment);
        }
    }

    /// <summary>Of values, padding included.</summary>
    public long Elements { get; private set; }

    /// <summary>Of gradients, padding included.</summary>
    public long TrainedElements { get; }

    public long StateBytes { get; private set; }

    /// <summary>The elements of the trained parameters of a role.</summary>
    public ElementRange this[ParameterRole role] => _ranges[(int)role];

    private void Place(IEnumerable<Parameter> parameters)
    {
        foreach (Parameter parameter in parameters)
        {
            parameter.Offset = Elements;
            Elements = RoundUp(checked(Elements + parameter.Layout.Count), AlignmentElements);
        }
    }

    private static long RoundUp(long value, int step) => checked(value + step - 1) / step * step;
}

/// <summary>A copy of a store's values in a type of 16 bits.</summary>
internal sealed class ValueShadow(ParameterStore store, DType type) : IDisposable
{
    private readonly DeviceBuffer _buffer = store.Backend.Allocate(store.Elements * type.Size());

    public DType Type => type;

    public long Bytes => _buffer.Bytes;

    public View Of(Parameter parameter) => new(_buffer, parameter.Offset, parameter.Layout, type);

    public View Of(ElementRange piece) => new(_buffer, piece.Start, Layout.Of(checked((int)piece.Count)), type);

    /// <summary>Rounds some values anew, by the device alone.</summary>
    public void Update(ElementRange elements)
    {
        foreach (ElementRange piece in elements)
        {
            View values = store.Values(piece);
            store.Backend.Copy(values, Of(piece));
        }
    }

    public void Dispose() => _buffer.Dispose();
}
