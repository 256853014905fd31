using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Runs;

/// <summary>Memory of training, known before anything runs: the step is recorded on a backend that holds nothing.</summary>
/// <param name="ParameterBytes">Values, state, and the rounded copy of values where activations have 16 bits.</param>
/// <param name="GradientBytes">Gradients of parameters, and their sum over micro-batches where a step has several.</param>
/// <param name="OptimizerBytes">Moments and the update's scratch.</param>
/// <param name="ArenaBytes">Activations, their gradients and scratch, at their peak.</param>
/// <param name="InputBytes">Batches and tables of positions.</param>
/// <param name="PeakBytes">All of it.</param>
/// <param name="Passes">The forward and backward pass of a micro-batch.</param>
/// <param name="PassesCost">FLOPs and bytes of their kernels, recomputation included; what depends on data, such as tokens without a target, as if it were full.</param>
public sealed record MemoryPlan(
    long ParameterBytes, long GradientBytes, long OptimizerBytes, long ArenaBytes, long InputBytes, long PeakBytes, PlanProfile Passes, KernelCost PassesCost)
{
    /// <param name="config">Resolved, its vocabulary known; a batch of 0 counts as 1.</param>
    /// <param name="like">
    /// The backend whose kernels will run: they decide what is recorded and its scratch. Where it cannot compute in the configured precision, the plan is that
    /// of a device with every fused kernel and no scratch.
    /// </param>
    public static MemoryPlan Of(RunConfig config, Backend like)
    {
        MemoryCheck.RequireShape(config);
        // One micro-batch after the other is on the device, beside the sum of those before it.
        config = config with { Train = config.Train with { Accumulate = Math.Min(2, config.Train.Accumulate) } };
        return MemoryCheck.Counted("train.batch × model.context", "a smaller --batch with train.accumulate, a smaller --context or model", () => Planned(config, like));
    }

    private static MemoryPlan Planned(RunConfig config, Backend like)
    {
        using var dry = new DryRun(like.Supports(config.Train.Precision.Arithmetic(like).Type) ? like : null);
        using var model = new Transformer(config.Model, dry.Backend, source: null, config.Train.Trains);
        using LearningTask task = TrainData.Sketch(config);
        Reference? reference = RunReference.Of(config, model);
        using var trainer = new Trainer(model, config.Train, task, reference: reference);
        long trained = model.Store.TrainedElements * sizeof(float);
        return new MemoryPlan(
            (model.Store.Elements * sizeof(float)) + model.Store.StateBytes + model.Store.ShadowBytes + trainer.ReferenceBytes, trained + trainer.SumBytes, trainer.Optimizer.Bytes, trainer.ArenaBytes, trainer.InputBytes, trainer.PeakBytes, trainer.Plan.Profile(),
            dry.Of(trainer.Plan).Aggregate(default(KernelCost), (sum, call) => sum + call.Cost));
    }
}
