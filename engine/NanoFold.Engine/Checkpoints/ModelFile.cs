using System.Runtime.InteropServices;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Checkpoints;

/// <summary>A model's parameters and state in a safetensors file, under their own names.</summary>
public static class ModelFile
{
    public const string Name = "model.safetensors";

    /// <summary>The file, to be written into a checkpoint.</summary>
    /// <param name="store">What is written.</param>
    /// <param name="left">The names of tensors that it leaves out, or null for none.</param>
    public static CheckpointFile Of(ParameterStore store, IReadOnlySet<string>? left = null) => new(Name, stream =>
    {
        SafeTensorsWriter writer = NewWriter();
        var download = new Downloads(store.Backend);
        foreach (StoredTensor tensor in store.Tensors.Where(tensor => left?.Contains(tensor.Name) != true))
        {
            writer.Add(tensor.Name, TypeOf(tensor.Type), FileSource.ShapeOf(tensor.Layout), start => download.Piece(store.Values(tensor), start));
        }

        writer.WriteTo(stream);
    });

    /// <summary>Reads every parameter and all state; a missing, extra or misshapen one is an error naming it.</summary>
    public static void Read(string path, ParameterStore store)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        Require(file, store);
        store.Fill(new FileSource(file));
    }

    /// <summary>Throws where the file's header does not name every tensor of the store with its shape, but for those left out, and no other; no value is read.</summary>
    internal static void Require(SafeTensorsFile file, ParameterStore store, IReadOnlySet<string>? left = null)
    {
        foreach (string name in file.Tensors.Select(t => t.Name).Where(name => !store.Contains(name)))
        {
            throw new UserException($"{file.Path}: holds '{name}', which the model of its config does not have");
        }

        foreach (StoredTensor tensor in store.Tensors.Where(tensor => left?.Contains(tensor.Name) != true))
        {
            SafeTensorInfo info = file.Find(tensor.Name)
                ?? throw new UserException($"{file.Path}: '{tensor.Name}' is missing");
            FileSource.RequireShape(file, info, tensor);
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

    internal static SafeTensorType TypeOf(DType type) => type switch
    {
        DType.Float64 => SafeTensorType.F64,
        DType.Int32 => SafeTensorType.I32,
        DType.BFloat16 => SafeTensorType.BF16,
        DType.Float16 => SafeTensorType.F16,
        _ => SafeTensorType.F32,
    };

    /// <summary>Brings one piece of a view after another to the host, through one array.</summary>
    internal sealed class Downloads(Backend backend)
    {
        private const int PieceBytes = 1 << 22;

        private byte[] _piece = [];

        /// <summary>Bytes of a contiguous view from one on, until the next call.</summary>
        public ReadOnlySpan<byte> Piece(View view, long start)
        {
            if (view.Type.IsBlocks())
            {
                throw new InvalidOperationException($"model file: values in {view.Type} have no place in a safetensors file; load the model with its weights in single precision");
            }

            int size = view.Type.Size();
            int bytes = (int)Math.Min(PieceBytes, (view.Count * size) - start);
            if (_piece.Length < bytes)
            {
                _piece = new byte[bytes];
            }

            Span<byte> piece = _piece.AsSpan(0, bytes);
            View part = view.With(Layout.Of(bytes / size), start / size);
            switch (size)
            {
                case 2:
                    backend.Download(part, MemoryMarshal.Cast<byte, ushort>(piece));
                    break;
                case 4:
                    backend.Download(part, MemoryMarshal.Cast<byte, uint>(piece));
                    break;
                default:
                    backend.Download(part, MemoryMarshal.Cast<byte, ulong>(piece));
                    break;
            }

            return piece;
        }
    }
}
