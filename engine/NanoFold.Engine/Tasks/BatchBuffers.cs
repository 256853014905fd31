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
    /// <param name="type">Of activations: reals are converted to it.</param>
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
                bool isReal = fields[i].Type.IsReal();
                DType on = isReal ? type : DType.Int32;
                long given = Take(layout, isReal && type.Is16Bit() ? DType.Float32 : on), converted = isReal && type.Is16Bit() ? Take(layout, on) : given;
                places.Add(new Place(fields[i].Name, i, layout, on, given, converted));
            }
        }

        _places = [.. places];
        _buffer = backend.Allocate(Math.Max(bytes, 1));
        long Take(in Layout layout, DType on)
        {
            // Offsets are multiples of 256 bytes.
            long start = bytes;
            bytes += (layout.Count * on.Size() + 255) / 256 * 256;
            return start;
        }
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
                _backend.Upload<int>(rows.Integers(place.Field), Converted(place));
            }
            else if (place.Type.Is16Bit())
            {
                View given = View(place, place.Given, DType.Float32);
                _backend.Upload<float>(rows.Reals(place.Field), given);
                _backend.Copy(given, Converted(place));
            }
            else
            {
                _backend.Write(rows.Reals(place.Field), Converted(place));
            }
        }
    }

    /// <summary>As inputs of a tape.</summary>
    public BatchTensors On(Tape tape) => new([.. _places.Select(place => (place.Name, tape.External(place.Name, Converted(place))))]);

    public void Dispose() => _buffer.Dispose();

    private View Converted(in Place place) => View(place, place.Start, place.Type);

    private View View(in Place place, long start, DType type) => new(_buffer, start / type.Size(), place.Layout, type);

    // Where a field was put, and, in another type, where it was given; offsets in bytes.
    private readonly record struct Place(string Name, int Field, Layout Layout, DType Type, long Given, long Start);
}

/// <summary>The fields of a batch as values of a tape.</summary>
public sealed class BatchTensors
{
    private readonly (string Name, Tensor Value)[] _fields;

    internal BatchTensors((string Name, Tensor Value)[] fields) => _fields = fields;

    /// <summary>A field; none where the batch does not have it.</summary>
    public Tensor this[string name] => Array.Find(_fields, field => field.Name == name).Value;
}
