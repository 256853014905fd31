using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace Outside;

/// <summary>Holds the gradient of the op against finite differences in float64, with the kernel and with plain ops.</summary>
internal static class Check
{
    public static int Run()
    {
        bool isGood = true;
        foreach (bool composedOnly in new[] { false, true })
        {
            using var backend = new CpuBackend(threads: 1, composedOnly: composedOnly);
            using var store = new ParameterStore(backend, DType.Float64);
            using var tables = new TableStore(backend, DType.Float64);
            Parameter x = store.Add("x", Layout.Of(3, 37), ParameterRole.Matrix, Initializer.Normal(1));
            store.Allocate(seed: 1);
            // The function is one number: y by fixed weights.
            Table weights = tables.Get("weights", x.Layout, () => [.. Enumerable.Range(0, 3 * 37).Select(i => Math.Sin(i))]);
            using var check = new GradCheck(store, tape => tape.AddLoss(DotOp.Record(tape, CenterOp.Record(tape, tape.Use(x)), tape.Use(weights))));
            GradientDifference worst = check.Worst();
            isGood &= Say(composedOnly ? "plain ops" : "kernel", worst.Name, worst.Relative, 1e-7);
        }

#if GPU
        using var gpu = NanoFold.Kernels.Gpu.GpuDevices.OpenSimulator();
        using var cpu = new CpuBackend(threads: 1);
        float[] expected = Center(cpu), found = Center(gpu);
        isGood &= Say("gpu kernel", "the result", expected.Zip(found, (a, b) => Math.Abs(a - b)).Max(), 1e-6);
#endif
        return isGood ? 0 : 1;
    }

#if GPU
    private static float[] Center(Backend backend)
    {
        float[] x = [.. Enumerable.Range(0, 3 * 37).Select(i => MathF.Sin(i) + 1)], y = new float[x.Length];
        using DeviceBuffer buffer = backend.Allocate(x.Length * sizeof(float));
        var view = new View(buffer, 0, Layout.Of(3, 37), DType.Float32);
        backend.Upload<float>(x, view);
        backend.Require<CenterCall>().Run(new CenterCall(view, view, Accumulate: false));
        backend.Download<float>(view, y);
        return y;
    }
#endif

    private static bool Say(string path, string what, double difference, double most)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"center, {path}: {what} differs by {difference:0.0e+0}"));
        return difference < most;
    }
}
