using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training.Collectives;

/// <summary>Runs that several processes train: their bits are those of one, and only number 0 decides and writes.</summary>
[NonParallelizable]
public class SharedRunTests
{
    private static readonly string[] s_experts =
    [
        "model.feedForward=moe", "model.feedForward.experts=4", "model.feedForward.routing=sigmoid", "model.feedForward.biasRate=0.05",
        "train.optimizer=muon", "train.accumulate=4", "model.dropout=0.1", "train.keepCheckpoints=9",
    ];

    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    /// <summary>The second process is a real one; it takes part in a run, in its continuation, and in one that it does not survive.</summary>
    [Test]
    public void TwoProcessesGiveTheBitsOfOne()
    {
        string[] measured = [.. s_experts, "train.sampleEvery=6", "generation.maxTokens=3", "geometry.enabled=true", "geometry.every=6", "geometry.probeTokens=64"];
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using Process follower = FollowerProcess.Start(LoopbackCollective.PortOf(listener), rank: 1, world: 2, runs: 3);
        Task<string> error = follower.StandardError.ReadToEndAsync();
        _rig.Train("alone", measured);

        Lead(listener, (backend, collective) => TrainSession.Open(_rig.Config(measured), backend, _rig["together"], collective: collective));
        AssertSameFiles("together", "alone", 5, 10, 12);
        Assert.That(Figures("together"), Is.EqualTo(Figures("alone")));

        TrainSummary first = Lead(listener, (backend, collective) => TrainSession.Open(_rig.Config([.. measured, "train.stopAfter=7"]), backend, _rig["stopped"], collective: collective));
        Assert.That((first.End, first.Steps), Is.EqualTo((TrainEnd.StoppedAfter, 7L)));

        string message = Assert.Throws<UserException>(() => Lead(
            listener, (backend, collective) => TrainSession.Resume(_rig["stopped"], backend, collective: collective), new Recorder(step => Kill(step, follower))))!.Message;
        Assert.That(message, Is.EqualTo($"process 1 of 2 is gone; the state after step 9 is saved in {_rig["stopped"]}"));
        Assert.That(error.Result, Is.Empty);
        _rig.Resume("stopped");
        AssertSameFiles("stopped", "alone", 5, 7, 9, 10, 12);
    }

    /// <summary>Of a model whose base is in another checkpoint, which process 0 alone reads.</summary>
    [Test]
    public void ARunWithAdaptersGoesOnWithMoreProcesses()
    {
        _rig.Train("base", "train.steps=2");
        string[] settings = ["train.accumulate=3", "train.optimizer=adamw", $"train.init={_rig["base"]}", """model.adapters=[{"kind":"lora","rank":2,"dropout":0.1}]"""];
        _rig.Train("alone", settings);
        _rig.Train("more", [.. settings, "train.stopAfter=7"]);
        TrainSummary[] found = LoopbackCollective.Together(3, (backend, collective) =>
            Run(collective.Rank == 0 ? TrainSession.Resume(_rig["more"], backend, collective: collective) : TrainSession.Join(backend, collective)));
        AssertSameFiles("more", "alone", 10, 12);
        Assert.That(_rig.Metrics("more"), Is.EqualTo(_rig.Metrics("alone")));
        Assert.That(found.Select(summary => (summary.End, summary.Steps, summary.TrainLoss, summary.Validation.HasValue)), Is.EqualTo(new[]
        {
            (TrainEnd.Finished, 12L, found[0].TrainLoss, true), (TrainEnd.Finished, 12L, found[0].TrainLoss, false), (TrainEnd.Finished, 12L, found[0].TrainLoss, false),
        }));
    }

    [Test]
    public void WhereOneIsAskedToStopAllDoAfterTheSameStep()
    {
        using var stop = new CancellationTokenSource();
        TrainSummary[] found = Together(["train.accumulate=2"], "stopped", (session, rank) =>
            new TrainLoop(session, rank == 0 ? new Recorder(step => Cancel(step == 4, stop)) : null).Run(rank == 0 ? default : stop.Token));
        Assert.That(found.Select(summary => summary.End), Is.All.EqualTo(TrainEnd.Interrupted));
        // Process 1 may have begun to wait for step 5 before it was asked.
        Assert.That(found[0].Steps, Is.InRange(5, 6));
        Assert.That(found[1].Steps, Is.EqualTo(found[0].Steps));
        Assert.That(_rig.Checkpoints("stopped"), Does.Contain(found[0].Steps));
    }

    [Test]
    public void WhatEndsOneProcessEndsTheOthersWithTheReason()
    {
        // Process 0 finds that the loss is not finite; the other has the same figures and decides nothing.
        string[] messages = Together(["train.accumulate=2", "train.learningRate=1e30", "train.optimizer=adamw", "train.warmup=0", "train.clip=0"], "lost", (session, _) => Fault(() => Run(session)));
        Assert.That(messages[0], Does.Match("^step \\d+: .* is not finite; the state before it is saved in .*"));
        Assert.That(messages[1], Is.EqualTo($"process 0 of 2 has ended: {messages[0]}"));

        // The other process fails in its fourth micro-batch, the second of that step.
        messages = Together(["train.accumulate=4"], "odd", (session, rank) =>
        {
            session.Trainer.Taps = rank == 0 ? null : new TapSet([new Failing()]);
            return Fault(() => Run(session));
        });
        Assert.That(messages, Is.EqualTo(new[] { $"process 1 of 2 has ended: a fault; the state after step 1 is saved in {_rig["odd"]}", "a fault" }));
        Assert.That(_rig.Checkpoints("odd"), Is.EqualTo(new[] { 1L }));
    }

    [Test]
    public void WhatCannotBeSharedIsRefusedInAllProcessesAndLeavesNothing()
    {
        string[] messages = LoopbackCollective.Together(2, (backend, collective) => Fault(() => Open(["train.accumulate=3"], "uneven", backend, collective).Dispose()));
        Assert.That(messages[0], Is.EqualTo("train.accumulate: 2 processes cannot share 3 micro-batches of a step evenly; it takes a multiple of 2"));
        Assert.That(messages[1], Is.EqualTo($"process 0 of 2 has ended: {messages[0]}"));

        // The text changes between the two.
        messages = LoopbackCollective.Together(2, (backend, collective) =>
        {
            if (collective.Rank == 0)
            {
                return Fault(() => Open(["train.accumulate=2"], "other", backend, new Changing(collective, () => _rig.Write("text.txt", TrainRig.Text + "more"))).Dispose());
            }

            return Fault(() => TrainSession.Join(backend, collective).Dispose());
        });
        Assert.That(messages[1], Does.Match("text\\.txt: is not what process 0 trains on.*every process needs the same$"));
        Assert.That(messages[0], Is.EqualTo($"process 1 of 2 has ended: {messages[1]}"));
        Assert.That(Directory.Exists(_rig["uneven"]) || Directory.Exists(_rig["other"]), Is.False);
    }

    private static void Kill(long step, Process process)
    {
        if (step == 9)
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    private static void Cancel(bool now, CancellationTokenSource stop)
    {
        if (now)
        {
            stop.Cancel();
        }
    }

    private static TrainSummary Lead(TcpListener listener, Func<Backend, ICollective, TrainSession> open, ITrainObserver? observer = null)
    {
        using var backend = new CpuBackend(1);
        using LoopbackCollective collective = LoopbackCollective.Lead(backend, listener, 2);
        using TrainSession session = open(backend, collective);
        return new TrainLoop(session, observer).Run();
    }

    private TrainSession Open(string[] settings, string folder, Backend backend, ICollective collective) => collective.Rank == 0
        ? TrainSession.Open(_rig.Config(settings), backend, _rig[folder], collective: collective)
        : TrainSession.Join(backend, collective);

    private T[] Together<T>(string[] settings, string folder, Func<TrainSession, int, T> run) => LoopbackCollective.Together(2, (backend, collective) =>
    {
        using TrainSession session = Open(settings, folder, backend, collective);
        return run(session, collective.Rank);
    });

    private static TrainSummary Run(TrainSession session)
    {
        using (session)
        {
            return new TrainLoop(session).Run();
        }
    }

    private static string Fault(Action action)
    {
        try
        {
            action();
            return "";
        }
        catch (Exception e) when (e is UserException or InvalidOperationException)
        {
            return e.Message;
        }
    }

    private void AssertSameFiles(string folder, string expected, params long[] steps)
    {
        Assert.That(_rig.Checkpoints(folder), Is.EqualTo(steps));
        foreach (long step in steps.Where(_rig.Checkpoints(expected).Contains))
        {
            foreach (string file in new[] { ModelFile.Name, OptimizerFile.Name, RunConfig.FileName, Tokenizer.FileName })
            {
                Assert.That(_rig.Bytes(folder, step, file), Is.EqualTo(_rig.Bytes(expected, step, file)), $"{file} of {folder}, step {step}");
            }

            TrainState state = TrainState.Load(_rig.Checkpoint(folder, step)), other = TrainState.Load(_rig.Checkpoint(expected, step));
            Assert.That(state with { Seconds = 0, ElapsedSeconds = 0 }, Is.EqualTo(other with { Seconds = 0, ElapsedSeconds = 0 }));
        }
    }

    // What a run has logged, but for times.
    private string[] Figures(string folder) =>
    [
        .. _rig.Metrics(folder), .. File.ReadAllLines(Path.Combine(_rig[folder], RunFolder.SamplesFile)), .. File.ReadAllLines(Path.Combine(_rig[folder], RunFolder.GeometryFile)),
    ];

    private sealed class Failing : ITapReader
    {
        private int _reads;

        public string Pattern => "hook_embed";

        public void Read(TapValue value)
        {
            if (++_reads == 4)
            {
                throw new InvalidOperationException("a fault");
            }
        }
    }

    /// <summary>Does something before the first call.</summary>
    private sealed class Changing(ICollective inner, Action first) : ICollective
    {
        private Action? _first = first;

        public int Rank => inner.Rank;

        public int World => inner.World;

        public void Sum(in View x) => Inner.Sum(x);

        public void Sum(Span<double> values) => Inner.Sum(values);

        public void Broadcast(in View x) => Inner.Broadcast(x);

        public void Broadcast(Span<byte> bytes) => Inner.Broadcast(bytes);

        public void Leave(string reason) => Inner.Leave(reason);

        private ICollective Inner
        {
            get
            {
                _first?.Invoke();
                _first = null;
                return inner;
            }
        }
    }
}
