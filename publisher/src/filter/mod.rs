//! What is done to pictures between capture and encoding.

mod scale;

pub(crate) use scale::Scaler;
