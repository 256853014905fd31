using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Runs;

/// <summary>The values of one file of ours, or of a model of another program, open.</summary>
internal abstract class OpenValues : IParameterSource, IDisposable
{
    /// <summary>Opens them.</summary>
    /// <exception cref="UserException">They are gone or damaged.</exception>
    public static OpenValues Of(string path) => ForeignModel.TryOpen(path) is { } foreign ? new OfWeights(foreign.Weights, foreign.Path, foreign) : new OfFile(SafeTensorsFile.Open(path));

    /// <summary>The values of an adapter; it closes with them.</summary>
    public static OpenValues Of(PeftAdapter adapter) => new OfWeights(adapter.Weights, adapter.Path, adapter);

    /// <inheritdoc/>
    public abstract bool TryFill(StoredTensor tensor);

    /// <summary>A parameter as it is to be held; null where it is to be copied.</summary>
    /// <exception cref="UserException">It is among them in another shape, or is damaged.</exception>
    public abstract HeldValues? TryHold(Parameter parameter, WeightHolder holder);

    /// <summary>Whether a tensor is among them.</summary>
    /// <exception cref="UserException">It is, in another shape.</exception>
    public abstract bool HasShape(StoredTensor tensor);

    /// <inheritdoc/>
    public abstract void Dispose();

    private sealed class OfFile(SafeTensorsFile file) : OpenValues
    {
        private readonly FileSource _source = new(file);

        public override bool TryFill(StoredTensor tensor) => _source.TryFill(tensor);

        public override HeldValues? TryHold(Parameter parameter, WeightHolder holder)
        {
            SafeTensorInfo info = file[parameter.Name];
            FileSource.RequireShape(file, info, parameter);
            return info.Type > SafeTensorType.BF16 ? null
                : holder.Hold(parameter, $"{file.Path}: is damaged", [new WeightRun(new WeightPlace(file.Path, info.Offset, info.Type.OfTensors()), info.Count)], (start, piece) => file.ReadPart(info.Name, start, piece));
        }

        public override bool HasShape(StoredTensor tensor)
        {
            if (file.Find(tensor.Name) is not { } info)
            {
                return false;
            }

            FileSource.RequireShape(file, info, tensor);
            return true;
        }

        public override void Dispose() => file.Dispose();
    }

    private sealed class OfWeights(IWeights weights, string path, IDisposable owner) : OpenValues
    {
        private readonly WeightSource _source = new(weights, path);

        public override bool TryFill(StoredTensor tensor) => _source.TryFill(tensor);

        public override HeldValues? TryHold(Parameter parameter, WeightHolder holder) =>
            HasShape(parameter) ? holder.Hold(parameter, path, weights.RunsOf(parameter.Name), (start, piece) => weights.Read(parameter.Name, start, piece)) : null;

        public override bool HasShape(StoredTensor tensor) => _source.HasShape(tensor);

        public override void Dispose() => owner.Dispose();
    }
}

/// <summary>The files of a saved model and of those that it is on top of; each tensor is that of the first that has it.</summary>
internal sealed class OpenedValues(IReadOnlyList<OpenValues> files) : IParameterSource, IDisposable
{
    private readonly FirstOfSources _values = new([.. files]);

    public bool TryFill(StoredTensor tensor) => _values.TryFill(tensor);

    public void Dispose()
    {
        foreach (OpenValues file in files)
        {
            file.Dispose();
        }
    }
}
