using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>The fields of a batch on the device, where a tape reads them.</summary>
internal sealed class BatchBuffers : IDisposable
{
    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly Place[] _places;

    /// <param name="backend">Whose device.</param>
    /// <param name="fields">What there is of a batch; those that are no inputs stay on the host.</param>
    /// <param name="rows">B.</param>
    /// <param name="type">Of activations; reals have that of sums over them, so that 16 bits round no target.</param>
    public BatchBuffers(Backend backend, IReadOnlyList<BatchField> fields, int rows, DType type)
    {
        _backend = backend;
        var places = new List<Place>();
        long bytes = 0;
        for (int i = 0; i < fields.Count; i++)
        {
            if (fields[i].IsInput)
            {
                Layout layout = Layout.Of([rows, .. fields[i].Row]);
                DType on = fields[i].Type.IsReal() ? type.Sum() : DType.Int32;
                places.Add(new Place(fields[i].Name, i, layout, on, bytes));
                // Offsets are multiples of 256 bytes.
                bytes += (layout.Count * on.Size() + 255) / 256 * 256;
            }
        }

        _places = [.. places];
        _buffer = backend.Allocate(Math.Max(bytes, 1));
    }

    /// <summary>On the device.</summary>
    public long Bytes => _buffer.Bytes;

    /// <summary>Puts a batch of the same fields and rows on the device.</summary>
    public void Upload(BatchRows rows)
    {
        foreach (Place place in _places)
        {
            if (place.Type == DType.Int32)
            {
                _backend.Upload<int>(rows.Integers(place.Field), View(place));
            }
            else
            {
                _backend.Write(rows.Reals(place.Field), View(place));
            }
        }
    }

    /// <summary>As inputs of a tape.</summary>
    public BatchTensors On(Tape tape) => new([.. _places.Select(place => (place.Name, tape.External(place.Name, View(place))))]);

    public void Dispose() => _buffer.Dispose();

    private View View(in Place place) => new(_buffer, place.Start / place.Type.Size(), place.Layout, place.Type);

    // Where a field was put, in bytes.
    private readonly record struct Place(string Name, int Field, Layout Layout, DType Type, long Start);
}

/// <summary>The fields of a batch as values of a tape.</summary>
public sealed class BatchTensors
{
    private readonly (string Name, Tensor Value)[] _fields;

    internal BatchTensors((string Name, Tensor Value)[] fields) => _fields = fields;

    /// <summary>A field; none where the batch does not have it.</summary>
    public Tensor this[string name] => Array.Find(_fields, field => field.Name == name).Value;
}
