using System.Text.RegularExpressions;
using NanoFold.Cli;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks.Devices;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Benchmarks;

/// <summary><c>devices --check</c> and what <c>train</c> does before a device is used for the first time.</summary>
public partial class DeviceCheckTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void ADeviceThatComputesTheSameIsAtNoDistance()
    {
        using var device = new CpuBackend(2);
        DeviceCheck check = DeviceCheck.Run(DeviceCase.Of(PrecisionKind.Float32), device);
        Assert.That((check.Fault, check.GradientDifference, check.LossDifference, check.SameBits), Is.EqualTo(((string?)null, 0.0, 0.0, true)));
    }

    [Test]
    public void RoundingIsWithinTheBounds()
    {
        using var device = new CpuBackend(2);
        DeviceCheck check = DeviceCheck.Run(DeviceCase.Of(PrecisionKind.BFloat16), device);
        Assert.That(check.Fault, Is.Null);
        Assert.That(check.GradientDifference, Is.InRange(1e-3, 0.05));
    }

    [Test]
    public void AGradientThatIsWrongIsNamed()
    {
        using CpuBackend device = With(inner => new Wrong(inner, (backend, call) => backend.Fill(call.DGain, 0)));
        DeviceCheck check = DeviceCheck.Run(DeviceCase.Of(PrecisionKind.Float32), device);
        Assert.That(check.Fault, Does.StartWith("the gradient of ").And.Contain("norm").And.Contain("differs from the CPU's by 1.0e+0 of its length, expected at most 2.0e-4"));
    }

    [Test]
    public void WhatIsNoNumberIsWrong()
    {
        using CpuBackend device = With(inner => new Wrong(inner, (backend, call) => backend.Fill(call.DX, double.NaN)));
        Assert.That(DeviceCheck.Run(DeviceCase.Of(PrecisionKind.Float32), device).Passes, Is.False);
    }

    [Test]
    public void OtherBitsASecondTimeAreWrong()
    {
        using CpuBackend device = With(inner => new Restless(inner));
        DeviceCheck check = DeviceCheck.Run(DeviceCase.Of(PrecisionKind.Float32), device);
        Assert.That((check.SameBits, check.Fault), Is.EqualTo((false, "losses or gradients are other bits a second time")));
    }

    [Test]
    public void EveryKindIsACase()
        => Assert.That(DeviceCase.Kinds.Select(c => c.Name), Is.Unique.And.SupersetOf(new[] { "mixer=attention", "mixer=parallel", "feedForward=moe", "residual=hyper-connections", "optimizer=adamw" }));

    [Test]
    public void TheFirstUseIsNotedAndTheNextOneIsNotChecked()
    {
        var calls = new List<int>();
        using CpuBackend device = With(inner => new Wrong(inner, (_, _) => calls.Add(1)));
        using var said = new StringWriter { NewLine = "\n" };
        var output = new Output(TextWriter.Null, said, json: false);
        FirstUse.Check(device, PrecisionKind.Float32, "driver 1", _folder.Path, output);
        int once = calls.Count;
        FirstUse.Check(device, PrecisionKind.Float32, "driver 1", _folder.Path, output);
        Assert.That(calls, Has.Count.EqualTo(once).And.Not.Empty);
        Assert.That(said.ToString(), Does.Match($"^nanofold: {device.Name}: first use in fp32: a small model trains there as on the CPU \\(.* s\\)\n$"));
        FirstUse.Check(device, PrecisionKind.Float32, "driver 2", _folder.Path, output);
        Assert.That(calls, Has.Count.EqualTo(2 * once), "a driver that was not there before");
    }

    [Test]
    public void ADeviceThatIsWrongDoesNotTrainAndIsAskedAgain()
    {
        using CpuBackend device = With(inner => new Wrong(inner, (backend, call) => backend.Fill(call.DGain, 0)));
        var output = new Output(TextWriter.Null, TextWriter.Null, json: false);
        for (int i = 0; i < 2; i++)
        {
            Assert.That(() => FirstUse.Check(device, PrecisionKind.Float32, "", _folder.Path, output), Throws.TypeOf<UserException>().With.Message.Contains("(fp32): the gradient of ").And.Message.Contains("NANOFOLD_FIRST_USE=off"));
        }
    }

    /// <summary>Whatever chooses other kernels makes another first use.</summary>
    [Test]
    public void EveryVariableThatChoosesKernelsIsPartOfWhatIsNoted()
    {
        IEnumerable<string> named = Directory.EnumerateFiles(RepositoryRoot.File("kernels/NanoFold.Kernels.Gpu"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")).SelectMany(file => Variable().Matches(File.ReadAllText(file)).Select(match => match.Value)).Distinct();
        Assert.That(FirstUse.Choosing, Is.EquivalentTo(named.Except(["NANOFOLD_PTXAS"])));
    }

    [GeneratedRegex("NANOFOLD_[A-Z0-9_]+")]
    private static partial Regex Variable();

    private static CpuBackend With(Func<CpuBackend, IKernel> make)
    {
        var backend = new CpuBackend(1);
        backend.Kernels.Add(make(backend));
        return backend;
    }

    /// <summary>What a norm's gradient gives is changed afterwards.</summary>
    private sealed class Wrong(CpuBackend backend, Action<CpuBackend, RmsNormBackwardCall> change) : IKernel<RmsNormBackwardCall>
    {
        private readonly IKernel<RmsNormBackwardCall> _right = backend.Require<RmsNormBackwardCall>();

        public void Run(in RmsNormBackwardCall call)
        {
            _right.Run(call);
            change(backend, call);
        }

        public long ScratchBytes(in RmsNormBackwardCall shape) => _right.ScratchBytes(shape);
    }

    /// <summary>A norm that is another with every call, by little.</summary>
    private sealed class Restless(CpuBackend backend) : IKernel<RmsNormCall>
    {
        private readonly IKernel<RmsNormCall> _right = backend.Require<RmsNormCall>();
        private int _calls;

        public void Run(in RmsNormCall call) => _right.Run(call with { Epsilon = call.Epsilon * (1 + (++_calls * 1e-3)) });

        public long ScratchBytes(in RmsNormCall shape) => _right.ScratchBytes(shape);
    }
}
