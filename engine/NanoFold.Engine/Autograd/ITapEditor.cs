using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Autograd;

/// <summary>Replaces tapped values: recorded on the tape, so that what follows, gradients included, sees the edited value.</summary>
public interface ITapEditor
{
    /// <summary>Names it edits, as in <see cref="ITapReader.Pattern"/>.</summary>
    string Pattern { get; }

    /// <summary>Records the edit of <paramref name="value"/> and returns what takes its place, of the same shape.</summary>
    Tensor Edit(Tape tape, string name, Tensor value);
}
