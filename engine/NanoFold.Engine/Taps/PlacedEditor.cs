using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Taps;

/// <summary>Editors of some places only.</summary>
public static class TapEditors
{
    /// <summary>The same editor where <paramref name="places"/> says; elsewhere values stay what they are, to the bit.</summary>
    public static ITapEditor At(this ITapEditor editor, TapPlaces places) => new PlacedEditor(editor, places);

    private sealed class PlacedEditor(ITapEditor editor, TapPlaces places) : ITapEditor
    {
        public string Pattern => editor.Pattern;

        public Tensor Edit(Tape tape, string name, Tensor value)
        {
            Tensor edited = editor.Edit(tape, name, value), mask = places.Mask(tape, name, value);
            return mask.IsNone ? edited : ChooseOp.Record(tape, mask, edited, value);
        }
    }
}
