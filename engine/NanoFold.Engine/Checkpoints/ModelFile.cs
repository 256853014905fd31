using System.Numerics.Tensors;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Checkpoints;

/// <summary>A model's parameters in a safetensors file, under their own names.</summary>
public static class ModelFile
{
    public const string Name = "model.safetensors";

    /// <summary>The file, to be written into a checkpoint.</summary>
    public static CheckpointFile Of(ParameterStore store) => new(Name, stream =>
    {
        SafeTensorsWriter writer = NewWriter();
        var download = new Downloads(store.Backend);
        foreach (Parameter parameter in store.Parameters)
        {
            writer.Add(parameter.Name, Shape(parameter.Layout), () => download.Read(store.Values(parameter)));
        }

        writer.WriteTo(stream);
    });

    /// <summary>Reads every parameter; a missing, extra or misshapen one is an error naming it.</summary>
    public static void Read(string path, ParameterStore store)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        Require(file, store);
        foreach (Parameter parameter in store.Parameters)
        {
            var values = new float[parameter.Layout.Count];
            file.Read(parameter.Name, values.AsSpan());
            RequireFinite(path, parameter.Name, values);
            store.Backend.Upload<float>(values, store.Values(parameter));
        }

        store.Changed();
    }

    /// <summary>Throws where the file's header does not name every parameter with its shape, and no other; no value is read.</summary>
    internal static void Require(SafeTensorsFile file, ParameterStore store)
    {
        foreach (string name in file.Tensors.Select(t => t.Name).Where(name => !store.Contains(name)))
        {
            throw new UserException($"{file.Path}: holds '{name}', which the model of its config does not have");
        }

        foreach (Parameter parameter in store.Parameters)
        {
            SafeTensorInfo info = file.Find(parameter.Name)
                ?? throw new UserException($"{file.Path}: '{parameter.Name}' is missing");
            if (!info.Shape.SequenceEqual(Shape(parameter.Layout)))
            {
                throw new UserException($"{file.Path}: '{parameter.Name}' is [{string.Join(", ", info.Shape)}]; the model expects {parameter.Layout}");
            }
        }
    }

    /// <summary>Throws where a value is not finite: no checkpoint is written with one.</summary>
    internal static void RequireFinite(string path, string name, ReadOnlySpan<float> values)
    {
        if (!TensorPrimitives.IsFiniteAll(values))
        {
            throw new UserException($"{path}: is damaged: '{name}' has values that are not finite");
        }
    }

    /// <summary>
    /// A writer whose file says what it holds: <c>format</c> is "pt" as in most files of the field (row-major, names of modules and parameters), for
    /// some programs open no other; <c>producer</c> is ours.
    /// </summary>
    internal static SafeTensorsWriter NewWriter()
    {
        var writer = new SafeTensorsWriter();
        writer.SetMetadata("format", "pt");
        writer.SetMetadata("producer", "nanofold");
        return writer;
    }

    private static long[] Shape(in Layout layout) => Array.ConvertAll(layout.ToShape(), d => (long)d);

    /// <summary>Brings one view after another to the host, through one array.</summary>
    internal sealed class Downloads(Backend backend)
    {
        private float[] _values = [];

        /// <summary>The view's values, until the next call.</summary>
        public ReadOnlySpan<float> Read(View view)
        {
            int count = checked((int)view.Count);
            if (_values.Length < count)
            {
                _values = new float[count];
            }

            backend.Download(view, _values.AsSpan(0, count));
            return _values.AsSpan(0, count);
        }
    }
}
