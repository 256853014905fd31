using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites.Halves;

namespace NanoFold.Tests.Suites;

/// <summary>Values between the host, where they are doubles, and a backend.</summary>
internal static class Host
{
    public static void Write(Backend backend, in View target, double[] values)
    {
        switch (target.Type)
        {
            case DType.Float64:
                backend.Upload<double>(values, target);
                break;
            case DType.Int32:
                backend.Upload<int>(Array.ConvertAll(values, v => (int)v), target);
                break;
            default:
                backend.Write(Array.ConvertAll(values, v => (float)v), target);
                break;
        }
    }

    /// <summary>A contiguous view's values.</summary>
    public static double[] Read(Backend backend, in View source)
    {
        switch (source.Type)
        {
            case DType.Float64:
                var doubles = new double[source.Count];
                backend.Download<double>(source, doubles);
                return doubles;
            case DType.Int32:
                var integers = new int[source.Count];
                backend.Download<int>(source, integers);
                return Array.ConvertAll(integers, v => (double)v);
            default:
                var floats = new float[source.Count];
                backend.Read(source, floats);
                return Array.ConvertAll(floats, v => (double)v);
        }
    }

    public static void Write(ParameterStore store, Parameter parameter, double[] values)
    {
        Write(store.Backend, store.Values(parameter), values);
        store.Changed();
    }

    /// <summary>A tensor's values, or null where the store has none of that name.</summary>
    public static double[]? Find(ParameterStore store, string name) => store.Find(name) is { } found ? Read(store, found) : null;

    public static double[] Read(ParameterStore store, StoredTensor tensor) => Read(store.Backend, store.Values(tensor));

    public static double[] Gradient(ParameterStore store, Parameter parameter) => Read(store.Backend, store.Gradients(parameter));

    /// <summary>Memory of its own that holds the values.</summary>
    public static View New(Backend backend, DType type, int[] shape, double[] values, ICollection<IDisposable> owner)
    {
        Layout layout = Layout.Of(shape);
        DeviceBuffer buffer = backend.Allocate(layout.Count * type.Size());
        owner.Add(buffer);
        var view = new View(buffer, 0, layout, type);
        Write(backend, view, values);
        return view;
    }

    public static View New(Backend backend, int[] shape, int[] values, ICollection<IDisposable> owner) =>
        New(backend, DType.Int32, shape, Array.ConvertAll(values, v => (double)v), owner);

    /// <summary>Sets the gradients that a plan begins to NaN, and the others to 0.</summary>
    public static void PoisonGradients(ParameterStore store, Plan plan)
    {
        foreach (Parameter parameter in store.Parameters.Where(p => !p.Frozen))
        {
            store.Backend.Fill(store.Gradients(parameter), plan.WritesGradient(parameter) ? double.NaN : 0);
        }
    }

    /// <summary>Fills memory with what is NaN in every real type, and a large integer.</summary>
    public static void FillNaN(Backend backend, DeviceBuffer buffer) => Fill(backend, buffer, BitConverter.UInt64BitsToDouble(0x7FFF7FFF7FFF7FFF));

    public static void Fill(Backend backend, DeviceBuffer buffer, double value) =>
        backend.Fill(new View(buffer, 0, Layout.Of(checked((int)(buffer.Bytes / sizeof(double)))), DType.Float64), value);

    /// <summary>The values as a type holds them.</summary>
    public static double[] Rounded(double[] values, DType type) =>
        type.Is16Bit() ? Array.ConvertAll(values, v => (double)HalfOperands.Widen(HalfOperands.Narrow((float)v, type), type)) : values;
}
