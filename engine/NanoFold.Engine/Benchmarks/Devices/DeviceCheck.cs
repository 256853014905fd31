using System.Diagnostics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Benchmarks.Devices;

/// <summary>
/// How near a device's training of a small model is to the CPU's in single precision: the gradients of the first step, and the losses of steps on one batch, which fall fast where updates are
/// right. Steps after the second are a captured graph's where the device has such.
/// </summary>
/// <param name="LossDifference">The largest of the steps, in nats per token.</param>
/// <param name="GradientDifference">‖g − g′‖ / ‖g′‖ of the parameter where it is largest; of parameters that hardly have a gradient, relative to a thousandth of the longest.</param>
/// <param name="Parameter">That parameter.</param>
/// <param name="SameBits">Whether the device gave the same losses and gradients a second time.</param>
/// <param name="Seconds">On the device, both times.</param>
public sealed record DeviceCheck(DeviceCase Case, double LossDifference, double GradientDifference, string Parameter, bool SameBits, double Seconds)
{
    public const int Steps = 6;

    // Of half precision: small enough that nothing overflows, and no step is skipped.
    private const double LossScale = 1024;

    private const double LeastShare = 1e-3;

    /// <summary>Whether all is as it should be.</summary>
    public bool Passes => Fault is null;

    /// <summary>What is wrong, in a line; null where nothing is.</summary>
    public string? Fault =>
        !(GradientDifference <= Case.GradientTolerance) ? $"the gradient of {Parameter} differs from the CPU's by {GradientDifference:0.0e+0} of its length, expected at most {Case.GradientTolerance:0.0e+0}"
        : !(LossDifference <= Case.LossTolerance) ? $"losses of {Steps} steps differ from the CPU's by {LossDifference:0.0e+0} nats, expected at most {Case.LossTolerance:0.0e+0}"
        : !SameBits ? "losses or gradients are other bits a second time"
        : null;

    /// <summary>Trains it on the CPU and twice on the device.</summary>
    /// <exception cref="UserException">The device cannot compute in the case's precision.</exception>
    public static DeviceCheck Run(DeviceCase of, Backend device)
    {
        PrecisionCheck.Require(of.Config.Train.Precision, device);
        Course expected;
        using (var cpu = new CpuBackend(1))
        {
            expected = Train(of.Config with { Train = of.Config.Train with { Precision = PrecisionKind.Float32 } }, cpu);
        }

        long started = Stopwatch.GetTimestamp();
        Course got = Train(of.Config, device), again = Train(of.Config, device);
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        double loss = got.Losses.Zip(expected.Losses, Apart).Max();
        double least = LeastShare * expected.Gradients.Max(g => Length(g.Values));
        (string parameter, double gradient) = got.Gradients.Zip(expected.Gradients, (g, e) => (g.Name, Apart(g.Values, e.Values, least))).MaxBy(d => d.Item2);
        bool sameBits = got.Losses.SequenceEqual(again.Losses) && got.Gradients.Zip(again.Gradients).All(pair => pair.First.Values.AsSpan().SequenceEqual(pair.Second.Values));
        return new DeviceCheck(of, loss, gradient, parameter, sameBits, seconds);
    }

    private static Course Train(RunConfig config, Backend backend)
    {
        using var model = new Transformer(config.Model, backend, new SeedSource((ulong)config.Train.Seed), config.Train.Trains);
        using LearningTask task = TrainData.Sketch(config);
        using var trainer = new Trainer(model, config.Train, task);
        double scale = config.Train.Precision.ScalesLoss() ? LossScale : 1;
        trainer.LossScale = (scale, 0);
        var losses = new double[Steps];
        (string, float[])[] gradients = [];
        for (int step = 0; step < Steps; step++)
        {
            trainer.Begin(step, batch: 0);
            for (int i = 0; i < config.Train.Accumulate; i++)
            {
                trainer.Accumulate(i);
            }

            if (step == 0)
            {
                gradients = [.. model.Store.Parameters.Select(p => (p.Name, Read(model.Store, p, scale)))];
            }

            trainer.Update();
            losses[step] = trainer.State.GetDouble(StepSlot.Loss);
        }

        return new Course(losses, gradients);
    }

    private static float[] Read(ParameterStore store, Parameter parameter, double scale)
    {
        var values = new float[parameter.Layout.Count];
        store.Backend.Download(store.Gradients(parameter), values.AsSpan());
        return scale == 1 ? values : [.. values.Select(v => (float)(v / scale))];
    }

    // What is no number is as far as can be.
    private static double Apart(double a, double b) => double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs(a - b);

    private static double Apart(float[] got, float[] expected, double least)
    {
        double apart = Length([.. got.Zip(expected, (g, e) => g - e)]) / Math.Max(Length(expected), least);
        return double.IsNaN(apart) ? double.PositiveInfinity : apart;
    }

    private static double Length(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    private sealed record Course(double[] Losses, (string Name, float[] Values)[] Gradients);
}
