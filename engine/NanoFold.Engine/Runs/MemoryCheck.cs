using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Runs;

/// <summary>Whether there is enough memory for training; asked before anything is allocated.</summary>
public static class MemoryCheck
{
    // One parameter, tables and batches are indexed in 32 bits; a model may have any number of parameters.
    private const long MostOfOneParameter = ElementRange.MostInPiece;
    private const long MostRopeElements = 1L << 28;
    private const long MostTokens = 1L << 26;

    private const string Step = "a training step";
    private const string Measuring = "a run with its evaluations and measurements";
    private const string MeasuringRemedy = "a smaller geometry.probeTokens, geometry.enabled=false or a smaller model";
    private const string StepRemedy = "a smaller --batch with train.accumulate, train.recompute=true or a smaller model";

    /// <summary>Throws where the shape is too large, or parameters or what a step cannot do without do not fit this machine.</summary>
    public static void Require(RunConfig config, Backend backend)
    {
        RequireAtLeast(config, backend);
        if (config.Train.Batch > 0 && backend.FreeBytes is { } free)
        {
            RequirePlan(config, backend, free, c => MemoryPlan.Of(c, backend).PeakBytes);
        }
    }

    /// <summary>The same of a whole run: with its evaluations, measurements and samples.</summary>
    internal static void RequireRun(RunConfig config, Backend backend)
    {
        RequireAtLeast(config, backend);
        if (config.Train.Batch > 0 && backend.FreeBytes is { } free)
        {
            RequirePlan(config, backend, free, c => RunMemory.Of(c, backend).DeviceBytes);
            DeviceMemory.RequireOfHost(RunMemory.Of(config, backend).HostBytes, Measuring, MeasuringRemedy);
        }
        else if (config.Train.Batch > 0 && backend.HoldsValues)
        {
            RunMemory run = RunMemory.Of(config, backend);
            bool isStep = run.Step.PeakBytes + run.BatchBytes + RunMemory.ProcessBytes > DeviceMemory.Available(backend);
            DeviceMemory.Require(run.ResidentBytes, isStep ? Step : Measuring, isStep ? StepRemedy : MeasuringRemedy, backend);
        }
    }

    /// <summary>Plans something; where a size in it cannot be counted, that is the fault of a setting.</summary>
    /// <param name="what">The setting.</param>
    /// <param name="remedy">What is smaller.</param>
    /// <param name="plan">Records, on a backend that holds nothing.</param>
    internal static T Counted<T>(string what, string remedy, Func<T> plan)
    {
        try
        {
            return plan();
        }
        catch (OverflowException)
        {
            throw UserException.Usage($"{what}: with this model a tensor has more elements than the {int.MaxValue} that are supported; {remedy} has fewer");
        }
    }

    // What is known without recording anything.
    private static void RequireAtLeast(RunConfig config, Backend backend)
    {
        DType type = config.Train.Precision.Arithmetic(backend).Type;
        CostModel cost = RequireShape(config);
        // With several micro-batches there is the sum of gradients besides.
        int gradients = config.Train.Accumulate > 1 ? 2 : 1;
        Int128 parameters = ((Int128)cost.Parameters * (sizeof(float) + (type.Is16Bit() ? type.Size() : 0))) + ((Int128)cost.Trained * gradients * sizeof(float)) + OptimizerBytes(config);
        DeviceMemory.Require(parameters, "parameters, gradients and optimizer state", "a smaller model", backend);

        // Recomputed or not, the input of every block is kept.
        Int128 tokens = (long)config.Train.Batch * config.Model.Context;
        DeviceMemory.Require(parameters + (tokens * config.Model.Width * config.Model.Layers * type.Size()), Step, StepRemedy, backend);
    }

    private static long OptimizerBytes(RunConfig config)
    {
        using var nowhere = new NullBackend();
        using var model = new Transformer(config.Model, nowhere, source: null, config.Train.Trains);
        using StepState state = nowhere.NewState();
        using var optimizer = new Optimizer(model.Store, config.Train.Resolve(config.Preset), state);
        return optimizer.Bytes;
    }

    // With the largest batch that fits.
    private static void RequirePlan(RunConfig config, Backend backend, long free, Func<RunConfig, long> bytes)
    {
        long Peak(int batch) => bytes(config with { Train = config.Train with { Batch = batch } });
        long needed = Peak(config.Train.Batch);
        if (needed <= free)
        {
            return;
        }

        int fits = 0;
        for (int low = 1, high = config.Train.Batch - 1; low <= high;)
        {
            int middle = low + ((high - low) / 2);
            (fits, low, high) = Peak(middle) <= free ? (middle, middle + 1, high) : (fits, low, middle - 1);
        }

        throw new UserException(FormattableString.Invariant(
            $"{Step}: {needed / 1e9:0.0} GB are needed and {backend.Name} has {free / 1e9:0.0} GB free; {(fits > 0 ? $"--batch {fits} is the largest that fits" : $"{StepRemedy} takes less")}"));
    }

    /// <summary>Throws where a model and the caches of a batch do not fit this machine.</summary>
    internal static void RequireDecoding(ModelConfig model, int batch, Backend backend)
    {
        CostModel cost = CostModel.Of(model);
        Int128 bytes = ((Int128)cost.Parameters * sizeof(float)) + ((Int128)cost.CacheBytesPerSequence * batch);
        DeviceMemory.Require(bytes, "decoding", "a smaller --batch, --context or model", backend);
    }

    /// <summary>Throws where the model or the batch is beyond what can be computed at all.</summary>
    /// <returns>What the model costs.</returns>
    internal static CostModel RequireShape(RunConfig config)
    {
        ModelConfig model = config.Model.Resolve();
        CostModel cost = Counted("model.layers × model.width × model.hidden", "a smaller model", () => CostModel.Of(model, config.Train.Trains));
        if (cost.Largest.Elements > MostOfOneParameter)
        {
            string settings = cost.Largest.Part switch
            {
                nameof(CostModel.FeedForward) => "model.width × model.hidden",
                nameof(CostModel.Mixer) => "model.width × model.heads × model.headDim",
                nameof(CostModel.Embedding) or nameof(CostModel.Head) => "model.vocab × model.width",
                _ => "model.width",
            };
            throw UserException.Usage($"{settings}: {cost.Largest.Elements} elements of {cost.Largest.Name}; at most {MostOfOneParameter} of one parameter are supported");
        }

        if ((long)model.Context * model.HeadDim > MostRopeElements)
        {
            throw Exceeds("model.context × model.headDim", "elements", (long)model.Context * model.HeadDim, MostRopeElements);
        }

        // Both factors are below 2²⁰ and 2²².
        long tokens = (long)config.Train.Batch * model.Context;
        if (tokens > MostTokens || tokens * config.Train.Accumulate > MostTokens)
        {
            throw Exceeds("train.batch × train.accumulate × model.context", "tokens", (Int128)tokens * config.Train.Accumulate, MostTokens);
        }

        return cost;
    }

    private static UserException Exceeds(string what, string unit, Int128 value, long most)
        => UserException.Usage($"{what}: {(value < 0 ? "too many" : value)} {unit}; at most {most} are supported");
}
